"""`python -m tests.chaos`: break everything on purpose, and let the provider's own ledger judge."""

import asyncio
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from starter.local import temporal_program
from tests.chaos.campaign import Campaign
from tests.chaos.controls import CONTROLS, play_controls
from tests.chaos.ground import Ground
from tests.chaos.judge import Violation
from tests.chaos.plan import Plan, Scale, plan
from tests.chaos.report import Report, added_up, report_of, show

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True)
console = Console(highlight=False)

# The provider's own limit for a production key; the rest of a campaign runs with a higher one.
TRUE_LIMIT = 120
RAISED_LIMIT = 1_200
SLICE = Scale(only=frozenset({"F1", "F4", "F8"}), crowd=12, outage=10.0)

Seed = Annotated[int, typer.Option(help="The same seed plans the same orders and faults.")]
Folder = Annotated[Path | None, typer.Option(help="Where the run's files go.")]


@dataclass(frozen=True)
class Terms:
    """How a campaign is played: requests a minute and key, and whether checks share pages."""

    coalesce: bool = True
    rate_limit: int = RAISED_LIMIT
    server: str | None = None


class Switch(StrEnum):
    """On or off."""

    ON = "on"
    OFF = "off"


Coalesce = Annotated[Switch, typer.Option(help="Whether checks that are due together share a page of the list.")]
Server = Annotated[str, typer.Option("--workflow-environment", help="A running Temporal server, host:port.")]


@app.command()
def short(seed: Seed = 1, folder: Folder = None, server: Server = "", coalesce: Coalesce = Switch.ON) -> None:
    """Every fault once, a slice at the true 120 requests a minute, and the workers that the judge must catch."""
    sys.exit(asyncio.run(_short(seed, folder or _new_folder(), Terms(_is_on(coalesce), server=server or None))))


@app.command()
def one(
    *,
    seed: Seed = 1,
    decks: Annotated[int, typer.Option(help="Each deck has every fault once.")] = 1,
    kills: Annotated[int, typer.Option(help="Kills in each window of each deck.")] = 1,
    crowd: Annotated[int, typer.Option(help="Orders in flight when the provider goes away.")] = 40,
    outage: Annotated[float, typer.Option(help="Seconds that it stays away.")] = 20.0,
    rate_limit: Annotated[int, typer.Option(help="The provider's, requests a minute and key.")] = RAISED_LIMIT,
    only: Annotated[str, typer.Option(help="Only these faults, e.g. F1,F4.")] = "",
    folder: Folder = None,
    server: Server = "",
    coalesce: Coalesce = Switch.ON,
) -> None:
    """One campaign of any size."""
    scale = Scale(decks, kills, crowd, outage, only=frozenset(filter(None, only.split(","))))
    place = folder or _new_folder()
    terms = Terms(_is_on(coalesce), rate_limit, server or None)
    report = asyncio.run(_campaign(plan(seed, scale), scale, terms, place))
    show(report, console)
    sys.exit(not report.clean)


@app.command()
def long(
    *,
    first_seed: Annotated[int, typer.Option(help="The first of the seeds.")] = 1,
    seeds: Annotated[int, typer.Option(help="How many.")] = 12,
    at_once: Annotated[int, typer.Option(help="How many campaigns at the same time; two keep two cores busy.")] = 2,
    decks: Annotated[int, typer.Option(help="Of each seed; a deck has every fault once.")] = 1,
    kills: Annotated[int, typer.Option(help="Kills in each window of each deck.")] = 5,
    crowd: Annotated[int, typer.Option(help="Orders in flight when the provider goes away.")] = 200,
    outage: Annotated[float, typer.Option(help="Seconds that it stays away.")] = 150.0,
    folder: Folder = None,
    coalesce: Coalesce = Switch.ON,
) -> None:
    """Many campaigns. Their reports are added up; a run of the same seeds plans the same."""
    scale = Scale(decks, kills, crowd, outage)
    place = folder or _new_folder()
    report = asyncio.run(_long(range(first_seed, first_seed + seeds), at_once, scale, place, Terms(_is_on(coalesce))))
    show(report, console)
    sys.exit(not report.clean)


@app.command()
def judge(folders: Annotated[list[Path], typer.Argument(help="Folders of earlier runs.")]) -> None:
    """Judge earlier runs again, from the files that they left."""
    report = added_up(report_of(folder) for folder in folders)
    show(report, console)
    sys.exit(not report.clean)


async def _short(seed: int, folder: Path, terms: Terms) -> int:
    scale, slow = Scale(), plan(seed, SLICE)
    whole, limited, controls = await asyncio.gather(
        _campaign(plan(seed, scale), scale, terms, folder / "all"),
        _campaign(slow, SLICE, Terms(terms.coalesce, TRUE_LIMIT), folder / "limited"),
        play_controls(folder / "controls", seed, _say("controls"), coalesce=terms.coalesce),
    )
    show(whole, console)
    console.print(f"\nThe slice at {TRUE_LIMIT} requests a minute")
    show(limited, console)
    console.print()
    for name, caught in controls.items():
        mark = "[green]caught[/]" if caught else "[red]NOT CAUGHT[/]"
        console.print(f"control {name}: {mark} {'; '.join(caught[:2])}")
    unseen = [name for name in CONTROLS if not controls.get(name)]
    return int(bool(unseen) or not (whole.clean and limited.clean))


async def _long(seeds: range, at_once: int, scale: Scale, folder: Path, terms: Terms) -> Report:
    places = asyncio.Semaphore(at_once)

    async def run(seed: int) -> Report:
        async with places:
            return await _campaign(plan(seed, scale), scale, terms, folder / f"seed-{seed}")

    reports = await asyncio.gather(*(run(seed) for seed in seeds), return_exceptions=True)
    broken = [report for report in reports if isinstance(report, BaseException)]
    for seed, report in zip(seeds, reports, strict=True):
        if isinstance(report, BaseException):
            console.print(f"[red]seed {seed} broke off:[/] {type(report).__name__}: {report}", markup=True)
    total = added_up(report for report in reports if isinstance(report, Report))
    total.violations += [Violation("evidence", f"a campaign broke off: {error}") for error in broken]
    return total


async def _campaign(ours: Plan, scale: Scale, terms: Terms, folder: Path) -> Report:
    say = _say(f"seed {ours.seed}{' limited' if terms.rate_limit == TRUE_LIMIT else ''}")
    say(f"plan {ours.digest}: {len(ours.rounds)} rounds, {ours.orders} orders, files in {folder}")
    program, limit = await temporal_program(), terms.rate_limit
    ground = Ground(folder, program, rate_limit=limit, address=terms.server, coalesce=terms.coalesce)
    try:
        await Campaign(ground, ours, scale, say).run()
    finally:
        await ground.end()
    return await asyncio.to_thread(report_of, folder)


def _is_on(switch: Switch) -> bool:
    return switch is Switch.ON


def _say(who: str) -> Callable[[str], None]:
    return lambda text: console.print(f"[dim]{who}:[/] {text}")


def _new_folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="topup-chaos-"))


if __name__ == "__main__":
    app()
