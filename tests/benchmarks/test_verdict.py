"""The last line of a run of the benchmarks."""

from io import StringIO

from rich.console import Console

from benchmarks.__main__ import verdict
from benchmarks.herd import skipped
from benchmarks.measure import show


def test_every_aim_is_met() -> None:
    assert verdict([], []) == "every aim is met"


def test_a_missed_aim_is_named() -> None:
    assert verdict(["engine", "others"], []) == "aims that are not met: engine, others"


def test_who_was_left_out_is_named_beside_the_aims_that_are_met() -> None:
    assert verdict([], ["celery"]) == "every aim is met, with celery left out"


def test_who_was_left_out_is_named_beside_a_missed_aim() -> None:
    assert verdict(["engine"], ["celery"]) == "aims that are not met: engine, with celery left out"


def test_a_benchmark_that_cannot_run_here_says_why() -> None:
    shown = StringIO()
    measure = skipped("asleep", "it reads /proc")
    show(measure, Console(file=shown))
    assert list(measure.left_out) == ["asleep"]
    assert "asleep is left out: it reads /proc" in shown.getvalue()
