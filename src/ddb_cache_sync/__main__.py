"""`python -m ddb_cache_sync`: the command line, where its program is not on the path."""

from ddb_cache_sync.cli import main

if __name__ == "__main__":
    main()
