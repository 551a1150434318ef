"""`python -m benchmarks`."""

import sys

from benchmarks.command import main

if __name__ == "__main__":  # also imported by the processes that it starts
    sys.exit(main())
