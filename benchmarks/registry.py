"""Every benchmark by name, in the order in which `make bench` runs them. One module each."""

from importlib import import_module

from benchmarks.measure import Run

NAMES: tuple[str, ...] = (
    "at_the_limit",
    "several_workers",
    "rounds",
    "accept",
    "engine",
    "replay",
    "cost",
    "recovery",
    "asleep",
    "others",
)
# Run only when named: they take too long for every day.
DOCS_ONLY: tuple[str, ...] = ("growth",)


def run_of(name: str) -> Run:
    """Return the benchmark's `measure`."""
    run: Run = import_module(f"benchmarks.{name}").measure
    return run
