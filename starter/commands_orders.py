"""The commands that submit and show orders: send, status, watch."""

import asyncio
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.text import Text

from starter import inputs
from starter.advice import NO_WORKER
from starter.connection import bounded
from starter.display import dzd, print_order, span
from starter.exits import ExitCode
from starter.follow import Follower, Screen
from starter.output import console, note, print_json
from starter.screens import JsonLines, Lines, live_table
from starter.session import Session, TopUpsPort, perform
from topups import TemporalUnreachable, TopUpRequest, TopUpView

Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout and nothing else.")]
# A new order's time of acceptance is a moment after this command began; clocks of two hosts differ a little.
SKEW_SECONDS = 2.0
_THEY_GO_ON = "the orders go on; `topup watch` shows them"
SEND_CODES = (
    "0 recorded (with --wait: delivered) · 2 bad input · 3 final but not delivered · 4 still open · 5 ref conflict"
)


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command(epilog=f"[bold]Exit codes[/]: {SEND_CODES} · 7 Temporal can't be reached · 130 Ctrl-C")(send)
    app.command(epilog="[bold]Exit codes[/]: 0 shown · 2 bad input · 6 no such order · 7 Temporal can't be reached")(
        status
    )
    app.command(epilog="[bold]Exit codes[/]: 0 all final · 2 bad input · 6 no such order · 130 Ctrl-C")(watch)


def send(
    ctx: typer.Context,
    *,
    ref: Annotated[str, typer.Option(help="Your own id of the order, unique for ever.", metavar="REF")],
    plan: Annotated[str, typer.Option(help="Plan code, like PREPAID_DJEZZY.", metavar="PLAN")],
    phone: Annotated[str, typer.Option(help="0771234567, +213771234567 or 00213771234567.", metavar="NUMBER")],
    amount: Annotated[
        str | None, typer.Option(help="Whole DZD, 1 to 300,000; left out for fixed and GETMENU plans.", metavar="DZD")
    ] = None,
    deliver_within: Annotated[
        str | None,
        typer.Option(help="Nothing is sent to the provider later than this: 60 to 86,400.", metavar="SECONDS"),
    ] = None,
    wait: Annotated[
        str | None, typer.Option(help="Show progress until the order's end, or so long.", metavar="SECONDS")
    ] = None,
    metadata: Annotated[
        list[str] | None, typer.Option(help="Kept and given back, never sent; repeat it.", metavar="KEY=VALUE")
    ] = None,
    json: Json = False,
) -> None:
    """Submit an order; it then reaches its end by itself.

    The same order again is the same order: it is never sent twice.
    Only the syntax is checked here; what the provider refuses ends REJECTED.

    [bold]Example[/]
      topup send --ref order-1042 --plan PREPAID_DJEZZY --phone 0771234567 \\
                 --amount 500 --wait 60
    """

    async def act(session: Session) -> ExitCode:
        request, seconds = inputs.request_of(
            ref=ref,
            plan=plan,
            phone=phone,
            amount=amount,
            deliver_within=deliver_within,
            metadata=metadata or (),
            wait=wait,
        )
        return await _send(session, request, seconds, json=json)

    goes_on = f"interrupted; if it was recorded, the order goes on: `topup watch {ref}` shows it"
    goes_on = goes_on if wait is None else f"the order goes on; `topup watch {ref}` shows it"
    perform(ctx, act, ref=ref, interrupted=goes_on)


async def _send(session: Session, request: TopUpRequest, seconds: int | None, *, json: bool) -> ExitCode:
    began = datetime.now(UTC)
    topups = await session.temporal.topups()
    await bounded(topups.submit(request))
    if seconds is not None:
        return await _wait(session, topups, request.ref, seconds, json=json)
    view = await _recorded(topups, request.ref)
    if json:
        print_json(view)
    else:
        _print_recorded(view, began)
    return ExitCode.DONE


async def _recorded(topups: TopUpsPort, ref: str) -> TopUpView:
    try:
        return await bounded(topups.order(ref).view())
    except TemporalUnreachable as error:
        raise TemporalUnreachable(f"{ref} is recorded and goes on, but {error}") from error


def _print_recorded(view: TopUpView, began: datetime) -> None:
    out = console()
    age = (began - view.accepted_at).total_seconds()
    what = " ".join(filter(None, [dzd(view.amount), view.plan_code, "to", view.phone, f"({view.environment})"]))
    line = Text("recorded: ", "bold green").append(f"{view.ref}  {what}", "")
    if age > SKEW_SECONDS:
        line = Text("known already: ", "bold").append(f"{view.ref}  {what}", "")
        line.append(f"\n  submitted {span(age)} ago; it is the same order, and nothing is sent twice", "")
    out.print(line, soft_wrap=True)
    out.print(f"  phase: {view.phase}")
    if view.stale:
        note(NO_WORKER)
    out.print(Text("  next: ", "bold").append(f"topup watch {view.ref}", ""), soft_wrap=True)


async def _wait(session: Session, topups: TopUpsPort, ref: str, seconds: int, *, json: bool) -> ExitCode:
    err = console(stderr=True)
    shown = live_table(err, keep=False) if err.is_terminal else nullcontext(Lines(err))
    with shown as screen:
        follower = Follower(topups, screen, session.tick)
        try:
            async with asyncio.timeout(seconds):
                await follower.until_final([ref])
        except TimeoutError:
            pass
    view = follower.latest.get(ref)
    if view is None or follower.interrupted:
        view = await _recorded(topups, ref)
    _print_view(view, json=json)
    if not view.final:
        note(f"still open after {seconds} s; the order goes on: `topup watch {ref}` shows it")
        return ExitCode.STILL_OPEN
    return ExitCode.DONE if view.delivered else ExitCode.NOT_DELIVERED


def _print_view(view: TopUpView, *, json: bool) -> None:
    if json:
        print_json(view)
    else:
        print_order(view, console(), datetime.now(UTC))


def status(
    ctx: typer.Context,
    ref: Annotated[str, typer.Argument(metavar="REF", show_default=False)],
    *,
    json: Json = False,
) -> None:
    """Show an order, and what to do next; never asks the provider.

    [bold]Example[/]
      topup status order-1042
      topup status order-1042 --json | jq -r .refund_message
    """

    async def act(session: Session) -> ExitCode:
        checked = inputs.ref_of(ref)
        topups = await session.temporal.topups()
        _print_view(await bounded(topups.order(checked).view()), json=json)
        return ExitCode.DONE

    perform(ctx, act, ref=ref)


def watch(
    ctx: typer.Context,
    refs: Annotated[list[str] | None, typer.Argument(metavar="REF", show_default=False)] = None,
    *,
    json: Json = False,
) -> None:
    """Follow orders until they end; without refs, all open ones.

    Without refs it goes on until Ctrl-C, and takes in orders that are new.
    It never asks the provider, and rides through a restart of Temporal.
    --json prints a line for each change of an order.

    [bold]Example[/]
      topup watch order-1042 order-1043
      topup watch
    """

    async def act(session: Session) -> ExitCode:
        checked = [inputs.ref_of(ref) for ref in refs or ()]
        topups = await session.temporal.topups()
        with _screen(json=json) as screen:
            follower = Follower(topups, screen, session.tick)
            await (follower.until_final(checked) if checked else follower.all_open())
        return ExitCode.UNEXPECTED if follower.interrupted else ExitCode.DONE

    alone = refs[0] if refs and len(refs) == 1 else None
    goes_on = f"the order goes on; `topup watch {alone}` shows it" if alone else _THEY_GO_ON
    perform(ctx, act, interrupted=goes_on)


def _screen(*, json: bool) -> AbstractContextManager[Screen]:
    if json:
        return nullcontext(JsonLines())
    out = console()
    return live_table(out, keep=True) if out.is_terminal else nullcontext(Lines(out, messages=True))
