"""`python -m starter.demo`: the demo without the command, and its picture for the README."""

import argparse
import sys
from pathlib import Path

from starter.demo import run

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m starter.demo")
    parser.add_argument("--keep", action="store_true", help="leave everything running")
    parser.add_argument("--json", action="store_true", help="print the verdict as one JSON object")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw the end into an SVG file")
    given = parser.parse_args()
    sys.exit(run(keep=given.keep, json_output=given.json, picture=given.picture))
