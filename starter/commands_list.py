"""The command `list`: an operator's questions about many orders."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer

from starter.choosing import (
    AcceptedAfter,
    AcceptedBefore,
    Choice,
    EndedAfter,
    NeedsReview,
    OlderThan,
    OpenOnly,
    PhaseOption,
    PlanOption,
    TailOption,
)
from starter.connection import bounded
from starter.display import note_of, rows_table
from starter.exits import ExitCode
from starter.output import console, note, print_block, print_json
from starter.session import Session, TopUpsPort, perform
from topups import OrderInterrupted, TopUpRow

AT_ONCE = 8
# Each is a question to a worker, and one that isn't there is waited for.
ASKED_MOST = 200


class ExplainedRow(TopUpRow):
    """A row of `topup list --why`: `why` is null for one that has ended."""

    why: str | None = None


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("list", epilog="[bold]Exit codes[/]: 0 shown · 2 bad input · 7 Temporal can't be reached")(list_)


def list_(
    ctx: typer.Context,
    *,
    phase: PhaseOption = None,
    plan: PlanOption = None,
    tail: TailOption = None,
    older_than: OlderThan = None,
    accepted_after: AcceptedAfter = None,
    accepted_before: AcceptedBefore = None,
    ended_after: EndedAfter = None,
    open_only: OpenOnly = False,
    needs_review: NeedsReview = False,
    why: Annotated[bool, typer.Option("--why", help="Ask a worker why each open one waits.")] = False,
    query: Annotated[bool, typer.Option("--query", help="Print the query for the Temporal UI instead.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout and nothing else.")] = False,
) -> None:
    """List orders, newest first, open and finished.

    The list follows the orders by a second or so. Times are UTC.
    With several options an order must be all that they say.

    [bold]Example[/]
      topup list --needs-review --why
      topup list --phase UNKNOWN_ERROR --older-than 24h
      topup list --tail 567 --accepted-after yesterday
      topup list --open --plan PREPAID_DJEZZY --json | jq -r .ref
      topup list --phase REFUNDED --ended-after today
      topup list --phase CONFIRMING --older-than 10m --query
    """

    async def act(session: Session) -> ExitCode:
        filters = Choice(
            phase=phase,
            plan=plan,
            tail=tail,
            older_than=older_than,
            accepted_after=accepted_after,
            accepted_before=accepted_before,
            ended_after=ended_after,
            needs_review=needs_review,
            open_only=open_only,
        ).filters()
        if query:
            console().print(filters.query(), soft_wrap=True)
            return ExitCode.DONE
        topups = await session.temporal.topups()
        rows = topups.list(**dict(filters))
        if json and not why:
            await _print_rows_as_json(rows)
            return ExitCode.DONE
        found = [row async for row in _bounded(rows)]
        _print_rows(await _explained(topups, found) if why else found, json=json)
        return ExitCode.DONE

    perform(ctx, act)


async def _bounded(rows: AsyncIterator[TopUpRow]) -> AsyncIterator[TopUpRow]:
    while (row := await bounded(anext(rows, None))) is not None:
        yield row


async def _print_rows_as_json(rows: AsyncIterator[TopUpRow]) -> None:
    async for row in _bounded(rows):
        print_json(row)


def _print_rows(found: Sequence[TopUpRow], *, json: bool) -> None:
    if json:
        for row in found:
            print_json(row)
        return
    if not found:
        note("no orders; `topup list --help` shows what else can be asked for")
        return
    out = console()
    whys = {row.ref: row.why or "" for row in found if isinstance(row, ExplainedRow)}
    print_block(rows_table(found, out, datetime.now(UTC), whys), out)


async def _explained(topups: TopUpsPort, rows: Sequence[TopUpRow]) -> list[TopUpRow]:
    gate = asyncio.Semaphore(AT_ONCE)
    opened = [row.ref for row in rows if not row.phase.final]
    asked = frozenset(opened[:ASKED_MOST])
    if len(opened) > len(asked):
        note(f"only the first {ASKED_MOST} open orders are asked why")

    async def one(row: TopUpRow) -> TopUpRow:
        if row.ref not in asked:
            return ExplainedRow(**dict(row), why="needs review" if row.needs_review else None)
        async with gate:
            return ExplainedRow(**dict(row), why=await _why(topups, row))

    return list(await asyncio.gather(*map(one, rows)))


async def _why(topups: TopUpsPort, row: TopUpRow) -> str:
    try:
        view = await bounded(topups.order(row.ref).view())
    except OrderInterrupted:
        return f"broken off: `topup reopen {row.ref} --note …` goes on with it"
    needs = "needs review, and " if view.stale and row.needs_review else ""
    return f"{needs}{note_of(view)}"
