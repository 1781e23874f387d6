"""The commands of the books: reconcile, audits, close-audit."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from starter import inputs
from starter.connection import bounded
from starter.exits import ExitCode
from starter.output import complain, console, note, print_block, print_json, said
from starter.report import audits_table, print_report, write_csv
from starter.session import BooksPort, Session, perform
from topups import NotConfirmed
from topups.books.differences import AuditView, ReconcileInput, Report

Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout and nothing else.")]
REST = "7 Temporal can't be reached"
# Longer than a worker is given to answer.
CLOSE_SECONDS = 30.0
GOES_ON = "it goes on; `topup reconcile --last` shows its report"


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    codes = f"0 compared, whatever differs · 1 the books couldn't be read · 2 bad input · 6 no report yet · {REST}"
    codes += " · 8 no worker took it"
    app.command(epilog=f"[bold]Exit codes[/]: {codes}")(reconcile)
    app.command(epilog=f"[bold]Exit codes[/]: 0 shown · {REST}")(audits)
    app.command(
        "close-audit",
        epilog=f"[bold]Exit codes[/]: 0 closed · 2 bad input · 6 no such audit · {REST} · 8 no worker answered",
    )(close_audit)


def reconcile(
    ctx: typer.Context,
    *,
    days: Annotated[str | None, typer.Option(help="So many days back; 3 by default.", metavar="N")] = None,
    since: Annotated[str | None, typer.Option(help="From this time on, like 2026-11-23.", metavar="TIME")] = None,
    until: Annotated[str | None, typer.Option(help="Up to this time; now by default.", metavar="TIME")] = None,
    last: Annotated[bool, typer.Option("--last", help="Show the newest report instead; asks nobody.")] = False,
    csv: Annotated[Path | None, typer.Option(help="Write the differences there as well.", metavar="FILE")] = None,
    json: Json = False,
) -> None:
    """Compare our orders with the provider's books now.

    Our orders of the window against the provider's list, its transactions and the balance.
    Orders whose status has moved are woken; a difference on an order that ended opens an audit.
    The same runs daily, once `topup setup` was run. Times without a zone are UTC.

    [bold]Example[/]
      topup reconcile --days 1
      topup reconcile --last --json | jq .counts
      topup reconcile --since 2026-11-01 --until 2026-11-08 --csv week.csv
    """

    async def act(session: Session) -> ExitCode:
        given = inputs.window_of(days=days, since=since, until=until)
        inputs.not_both("--last", last, "a window", any((days, since, until)))
        books = await session.temporal.books()
        report = await bounded(books.last()) if last else await _now(books, given, session.tick)
        if report is None:
            complain(["there is no report yet"], "`topup reconcile` makes one, `topup setup` has one made daily")
            return ExitCode.NO_SUCH_ORDER
        if json:
            print_json(report)
        else:
            print_report(report, console())
        return ExitCode.DONE if csv is None else _written(report, csv)

    perform(ctx, act, interrupted="interrupted" if last else f"interrupted; if it was started, {GOES_ON}")


def _written(report: Report, csv: Path) -> ExitCode:
    try:
        write_csv(report, csv)
    except OSError as error:
        complain([f"{csv} can't be written: {error.strerror}"], "`topup reconcile --last --csv FILE` writes it")
        return ExitCode.UNEXPECTED
    return ExitCode.DONE


async def _now(books: BooksPort, given: ReconcileInput, tick: float) -> Report:
    started = await bounded(books.start(given))
    err, shown = console(stderr=True), ""
    with err.status("begins") as line:
        while (under_way := await _progress(books, started)) is not None:
            line.update(Text(said(under_way, err)))
            if under_way != shown and not err.is_terminal:
                note(under_way)
            shown = under_way
            await asyncio.sleep(tick)
    return await bounded(books.report(started))


async def _progress(books: BooksPort, started: str) -> str | None:
    try:
        return await bounded(books.progress(started))
    except NotConfirmed as error:
        raise NotConfirmed(f"{error}; {GOES_ON}") from error


def audits(ctx: typer.Context, *, json: Json = False) -> None:
    """List the open audits: orders that ended and are watched.

    An audit ends by itself when the provider says the same; a person closes the others.

    [bold]Example[/]
      topup audits
      topup audits --json | jq -r .ref
    """

    async def act(session: Session) -> ExitCode:
        books = await session.temporal.books()
        found: list[AuditView] = []
        rows = books.audits()
        while (row := await bounded(anext(rows, None))) is not None:
            found.append(row)
        if json:
            for view in found:
                print_json(view)
        elif found:
            out = console()
            print_block(audits_table(found, out), out)
        else:
            note("no audit is open")
        return ExitCode.DONE

    perform(ctx, act)


def close_audit(
    ctx: typer.Context,
    ref: Annotated[str, typer.Argument(metavar="REF", show_default=False)],
    *,
    note: Annotated[str, typer.Option(help="How it was settled; it is kept.", metavar="TEXT")],
    by: Annotated[
        str | None, typer.Option(help="Who acts; user@host by default.", metavar="WHO", show_default=False)
    ] = None,
) -> None:
    """End the audit of an order: the difference is settled.

    The same difference opens no other one; a new difference does. Nothing is changed in the order.

    [bold]Example[/]
      topup close-audit order-1042 --note "refunded by hand, ticket 881"
    """

    async def act(session: Session) -> ExitCode:
        checked, why, who = inputs.ref_of(ref), inputs.words_of("--note", note), inputs.by_of(by)
        books = await session.temporal.books()
        await bounded(books.close_audit(checked, note=why, by=who), CLOSE_SECONDS)
        out = console()
        out.print(Text("closed: ", "bold green").append(f"the audit of {checked}", ""), soft_wrap=True)
        return ExitCode.DONE

    perform(ctx, act, ref=ref, interrupted="interrupted; it may still be taken: run the same again")
