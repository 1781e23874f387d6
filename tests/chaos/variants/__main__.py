"""`python -m tests.chaos.variants NAME`: a worker with one thing changed, settings by environment as for `worker.py`.

Exit codes: those of the worker; 2 also for a name that there isn't.
"""

import argparse
import sys

import worker
from tests.chaos.variants.catalogue import VARIANTS


def main() -> int:
    """Run the changed worker, or list what there is."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.variants", description="A worker with one change.")
    parser.add_argument("name", nargs="?", choices=[*VARIANTS], metavar="NAME")
    parser.add_argument("--list", action="store_true", help="print every name with a sentence")
    given = parser.parse_args()
    if given.list:
        for variant in VARIANTS.values():
            sys.stdout.write(f"{variant.name:22}{variant.sentence}\n")
        return 0
    if given.name is None:
        parser.error("which worker? --list shows them")
    VARIANTS[given.name].apply()
    return worker.main()


if __name__ == "__main__":
    sys.exit(main())
