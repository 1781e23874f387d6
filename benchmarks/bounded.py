"""`python -m benchmarks.bounded N`: the worker with another bound on the orders that it keeps in memory.

Settings by environment and exit codes as for `worker.py`.
"""

import sys

import worker


def main() -> int:
    """Run the worker."""
    worker.CACHED_WORKFLOWS = int(sys.argv[1])
    return worker.main()


if __name__ == "__main__":
    sys.exit(main())
