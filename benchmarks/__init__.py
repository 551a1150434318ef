"""Measures the library against the alternatives, on real servers of this machine: `python -m benchmarks`."""
