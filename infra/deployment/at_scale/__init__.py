"""Filling and verifying the whole cache: state machines with a function for each piece of the table."""
