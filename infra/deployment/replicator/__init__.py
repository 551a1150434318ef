"""The function that applies the table's stream to the cache."""
