"""Where the functions and the cache meet."""
