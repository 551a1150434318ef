"""The table whose changes are replicated."""
