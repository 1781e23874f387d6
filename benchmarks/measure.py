"""What a benchmark says: lines of ours against a control of the same run, as a table for people and as JSON."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

# `quick` proves in seconds that it runs, its numbers mean nothing; `full` is `make bench`; `docs` is run once, for
# docs/performance.md.
Size = Literal["quick", "full", "docs"]


@dataclass(frozen=True)
class Line:
    """One number of ours beside the control's. `holds`: whether the aim is met; None where there is no aim."""

    what: str
    ours: float | None
    control: float | None = None
    unit: str = ""
    aim: str = ""
    holds: bool | None = None

    @property
    def ratio(self) -> float | None:
        """Ours by the control's."""
        return self.ours / self.control if self.ours is not None and self.control else None


@dataclass(frozen=True)
class Measure:
    """One benchmark's answer. `control` says what ours is held against; `facts` is whatever explains the numbers.

    `left_out`: what of it this machine can't run (a rival, or all of it), and why.
    """

    name: str
    question: str
    control: str
    lines: tuple[Line, ...]
    facts: dict[str, Any] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether every aim is met."""
        return all(line.holds is not False for line in self.lines)


Run = Callable[[Size], Awaitable[Measure]]


def show(measure: Measure, console: Console) -> None:
    """Print the table."""
    table = Table(title=measure.question, caption=f"control: {measure.control}", title_justify="left")
    for name in ("", "ours", "control", "ratio", "aim", ""):
        table.add_column(name, justify="left" if name in {"", "aim"} else "right")
    for line in measure.lines:
        verdict = {True: "holds", False: "FAILS", None: ""}[line.holds]
        numbers = (_number(line.ours, line.unit), _number(line.control, line.unit), _number(line.ratio, "x"))
        table.add_row(line.what, *numbers, line.aim, verdict)
    console.print(table)
    for name, why in measure.left_out.items():
        console.print(f"{name} is left out: {why}")


def save(measure: Measure, folder: Path) -> Path:
    """Write `<name>.json`, each line with its ratio."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [{**asdict(line), "ratio": line.ratio} for line in measure.lines]
    file = folder / f"{measure.name}.json"
    body = {**asdict(measure), "lines": lines, "holds": measure.holds}
    file.write_text(json.dumps(body, indent=2, default=str) + "\n", encoding="utf-8")
    return file


def _number(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    # More digits than the noise allows would claim too much.
    text = f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.3g}"
    return f"{text} {unit}".rstrip()
