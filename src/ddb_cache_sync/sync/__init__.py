"""Keeping a cache in step with a table: the flows that join core, cache and table."""
