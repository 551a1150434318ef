"""Random changes to the table, on a schedule."""
