"""What a run showed, as figures that can be added up over runs, and as tables for people."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.chaos.books import read, rows
from tests.chaos.invariants.evidence import Json
from tests.chaos.judge import Violation, judge, windows
from tests.chaos.plan import PARTS
from tests.chaos.recovery import Sample, figures, samples
from tests.chaos.rounds import AGAIN

# With no event in n independent orders the true rate is below 3/n, at 95 %.
RULE_OF_THREE = 3.0
VIOLATIONS_SHOWN = 30
# Some rounds meet nobody, because a busy machine was too slow or too fast; more than a sixth is no campaign.
SHARE = Fraction(5, 6)

BROKEN = "[red]A promise was broken[/]"
COALESCED, ONE_BY_ONE = "checks coalesced", "checks one by one"

Place = tuple[str, str]

COUNTS = ("accepted", "delivered", "refunded", "rejected", "cancelled", "resolved", "on_recheck", "lost", "twice")
TRAFFIC = ("requests", "checks", "pages", "sends", "resends", "commits", "conflicts", "foreign", "reused")


@dataclass(frozen=True)
class Met:
    """One window of one fault: rounds `planned`, rounds that met at least one order there, and those `orders`."""

    planned: int = 0
    times: int = 0
    orders: int = 0

    @property
    def needed(self) -> int:
        """A run with fewer such rounds, or fewer orders in them, proves nothing about this window."""
        return ceil(self.planned * SHARE)

    @property
    def counts(self) -> bool:
        """Enough was done to enough."""
        return self.times >= self.needed and self.orders >= self.needed

    def __add__(self, other: "Met") -> "Met":
        return Met(self.planned + other.planned, self.times + other.times, self.orders + other.orders)


@dataclass
class Report:
    """One run or several. `windows`: what was done, by fault and window; `blows`: kills and freezes.

    `modes`: how checks were made; `replayed`: histories; `skipped`: rounds that could not be played here, and why;
    `failed`: rounds that failed and were played once more; one that failed then too is a violation.
    """

    seeds: list[int] = field(default_factory=list)
    modes: set[str] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)
    windows: dict[Place, Met] = field(default_factory=dict)
    blows: Counter[str] = field(default_factory=Counter)
    samples: list[Sample] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    replayed: int = 0
    seconds: float = 0.0

    @property
    def missing(self) -> list[str]:
        """Windows in which too little happened."""
        return [
            f"{fault} {window}: {met.times} rounds met {met.orders} orders; less than {met.needed} is no proof"
            for (fault, window), met in sorted(self.windows.items())
            if not met.counts
        ]

    @property
    def clean(self) -> bool:
        """No promise was broken, and every fault met enough orders."""
        return not (self.violations or self.missing or self.counts["lost"] or self.counts["twice"])


def report_of(folder: Path) -> Report:
    """Judge a run's folder."""
    verdict, books = judge(folder), read(folder)
    diary = list(rows(folder / "diary.jsonl"))
    replays: dict[str, Any] = next((row for row in diary if row["kind"] == "replayed"), {"replayed": 0, "failures": []})
    return Report(
        seeds=[row["seed"] for row in diary if row["kind"] == "begin"],
        modes={COALESCED if row.get("coalesce") else ONE_BY_ONE for row in diary if row["kind"] == "begin"},
        counts=Counter({name: getattr(verdict, name) for name in (*COUNTS, *TRAFFIC)}),
        windows=_windows(folder, diary),
        blows=Counter(_blow(row) for row in diary if row["kind"] == "process" and row["what"] in {"kill", "freeze"}),
        samples=samples(books),
        violations=[
            *verdict.violations,
            *(Violation("replay", sentence) for sentence in replays["failures"]),
            *(Violation("round", _failure(row)) for row in diary if row["kind"] == "failed" and row["number"] > AGAIN),
        ],
        failed=[_failure(row) for row in diary if row["kind"] == "failed" and row["number"] <= AGAIN],
        skipped=[f"{row['fault']} {row['window']}: {row['why']}" for row in diary if row["kind"] == "skipped"],
        replayed=replays["replayed"],
        seconds=books.over_at - books.entries[0].at if books.entries else 0.0,
    )


def _windows(folder: Path, diary: list[Json]) -> dict[Place, Met]:
    found: defaultdict[Place, Met] = defaultdict(Met)
    for row in diary:
        if row["kind"] in {"round", "skipped"}:
            for window in PARTS.get(row["fault"], (row["window"],)):
                found[row["fault"], window] += Met(planned=1 if row["kind"] == "round" else -1)
    for each in windows(folder):
        found[each.fault, each.window] += Met(0, each.injected, each.targets)
    return dict(found)


def _failure(row: Json) -> str:
    return f"round {row['name']} failed: {row['why']}"


def _blow(row: Json) -> str:
    name = row["name"] if row["name"] in {"temporal", "provider", "client"} else "worker"
    return f"{row['what']} {name}"


def added_up(reports: Iterable[Report]) -> Report:
    """Several runs as one."""
    total = Report()
    for one in reports:
        total.seeds += one.seeds
        total.modes |= one.modes
        total.counts += one.counts
        total.blows += one.blows
        total.samples += one.samples
        total.violations += one.violations
        total.skipped += one.skipped
        total.failed += one.failed
        total.replayed += one.replayed
        total.seconds += one.seconds
        for place, met in one.windows.items():
            total.windows[place] = total.windows.get(place, Met()) + met
    return total


def bound(zero_of: int) -> str:
    """What a zero is worth: nothing seen in n orders means a rate below 3/n, at 95 %."""
    return f"< {RULE_OF_THREE / zero_of:.2g} of all, at 95 %" if zero_of else "nothing was tried"


def show(report: Report, console: Console) -> None:
    """Print it."""
    console.print(_windows_table(report), _counts_table(report), _recovery_table(report))
    for violation in report.violations[:VIOLATIONS_SHOWN]:
        console.print(f"[red]{violation.invariant}[/]: {violation.sentence}", highlight=False)
    for sentence in (*report.missing, *report.failed, *(f"skipped: {each}" for each in report.skipped)):
        console.print(sentence)
    more = len(report.violations) - VIOLATIONS_SHOWN
    if more > 0:
        console.print(f"… and {more} more")
    seeds, modes = ", ".join(map(str, report.seeds)), " and ".join(sorted(report.modes))
    verdict = _verdict(report)
    console.print(
        f"{verdict}: seeds {seeds}, {modes}, {sum(report.blows.values())} kills and freezes, {report.seconds:.0f} s"
    )


def _verdict(report: Report) -> str:
    if report.clean:
        return "[green]Every promise was kept[/]"
    only_too_little = report.missing and not (report.violations or report.counts["lost"] or report.counts["twice"])
    return "[red]No promise was broken, but this proves too little[/]" if only_too_little else BROKEN


def _windows_table(report: Report) -> Table:
    table = Table("fault", "window", "rounds", "needed", "orders in it", title="Faults that met an order")
    for (fault, window), met in sorted(report.windows.items(), key=lambda item: (int(item[0][0][1:]), item[0])):
        table.add_row(fault, window, str(met.times), str(met.needed), str(met.orders))
    return table


def _counts_table(report: Report) -> Table:
    table = Table("what", "number", title="Orders, by the provider's ledger")
    for name in (*COUNTS, *TRAFFIC):
        table.add_row(name.replace("_", " "), str(report.counts[name]))
    for name, number in sorted(report.blows.items()):
        table.add_row(name, str(number))
    table.add_row("histories replayed", str(report.replayed))
    if not report.counts["lost"] + report.counts["twice"]:
        table.add_row("lost or sent twice", f"0 ({bound(report.counts['accepted'])})")
    return table


def _recovery_table(report: Report) -> Table:
    table = Table("after the kill of / in", "orders", "p50 s", "p99 s", "max s", title="Until the next request")
    for group in sorted({sample.group for sample in report.samples}):
        found = figures([sample for sample in report.samples if sample.group == group])
        times = [f"{value:.1f}" if value is not None else "-" for value in (found.p50, found.p99, found.max)]
        table.add_row(group, str(found.n), *times)
    return table
