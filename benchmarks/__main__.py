"""`python -m benchmarks [NAME…] [--size S] [--json FOLDER]`: exit code 0 when every aim is met, else 1."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from benchmarks.measure import Size, save, show
from benchmarks.registry import DOCS_ONLY, NAMES, run_of


def main() -> int:
    """Run the benchmarks one after the other: they'd disturb each other."""
    options = _parser().parse_args()
    unknown = sorted(set(options.names) - {*NAMES, *DOCS_ONLY})
    if unknown:
        sys.stderr.write(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(NAMES + DOCS_ONLY)}\n")
        return 2
    return asyncio.run(_run_all(options.names or list(NAMES), options.size, options.json))


async def _run_all(names: list[str], size: Size, folder: Path) -> int:
    console = Console(width=None if sys.stdout.isatty() else 140)
    fallen: list[str] = []
    left_out: list[str] = []
    for name in names:
        console.print(f"[bold]{name}[/bold]")
        measure = await run_of(name)(size)
        show(measure, console)
        console.print(f"{save(measure, folder)}\n")
        fallen += [] if measure.holds else [name]
        left_out += measure.left_out
    console.print(verdict(fallen, left_out))
    return 1 if fallen else 0


def verdict(fallen: Sequence[str], left_out: Sequence[str]) -> str:
    """Return the last line: which benchmarks miss an aim, and who was left out and so proves nothing."""
    aims = f"aims that are not met: {', '.join(fallen)}" if fallen else "every aim is met"
    return f"{aims}, with {', '.join(left_out)} left out" if left_out else aims


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"{', '.join(NAMES)} (default: these); {', '.join(DOCS_ONLY)}")
    parser.add_argument("--size", choices=["quick", "full", "docs"], default="full")
    parser.add_argument("--json", type=Path, default=Path("benchmarks/results"), metavar="FOLDER")
    return parser


if __name__ == "__main__":
    sys.exit(main())
