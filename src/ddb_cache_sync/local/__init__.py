"""The pipeline on one machine: embedded servers and an event source mapping that keeps Lambda's contract."""
