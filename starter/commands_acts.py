"""The commands of people on one order: cancel, reopen; and setup and demo."""

import importlib
from typing import Annotated

import typer
from rich.text import Text

from starter import inputs
from starter.connection import bounded
from starter.exits import ExitCode
from starter.output import complain, console, note, said
from starter.session import Session, perform
from topups import ActResult, Phase

Ref = Annotated[str, typer.Argument(metavar="REF", show_default=False)]
By = Annotated[str | None, typer.Option(help="Who acts; user@host by default.", metavar="WHO", show_default=False)]
REST = "6 no such order · 7 Temporal can't be reached"
ACT_CODES = f"[bold]Exit codes[/]: 0 done · 2 bad input · {REST} · 8 no worker answered, may still be taken · 9 refused"


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command(epilog=ACT_CODES)(cancel)
    app.command(epilog=f"[bold]Exit codes[/]: 0 reopened · 2 bad input · {REST} · 9 it was not broken off")(reopen)
    app.command(epilog="[bold]Exit codes[/]: 0 ready · 1 not allowed · 7 Temporal can't be reached")(setup)
    app.command(epilog="[bold]Exit codes[/]: 0 every order ended once · 1 not so · 130 Ctrl-C")(demo)


def cancel(
    ctx: typer.Context,
    ref: Ref,
    *,
    reason: Annotated[str, typer.Option(help="Why; it is kept with the order.", metavar="TEXT")],
    by: By = None,
) -> None:
    """Withdraw an order that was not sent yet.

    Possible in ACCEPTED or ON_HOLD, where certainly nothing was sent.

    [bold]Example[/]
      topup cancel order-1042 --reason "the customer changed their mind"
    """

    async def act(session: Session) -> ExitCode:
        checked, why, who = inputs.ref_of(ref), inputs.words_of("--reason", reason), inputs.by_of(by)
        topups = await session.temporal.topups()
        return outcome_code(await topups.order(checked).cancel(reason=why, by=who), Phase.CANCELLED)

    perform(ctx, act, ref=ref, interrupted="interrupted; it may still be taken: run the same again")


def outcome_code(result: ActResult, wanted: Phase) -> ExitCode:
    """An act is done as asked when it was taken, or when the provider itself said the same."""
    view = result.view
    if not result.taken and view.phase is not wanted:
        complain([f"{view.ref} is {view.phase}: {result.why}"], f"`topup status {view.ref}` shows it")
        return ExitCode.REFUSED
    tell(f"{view.phase}", f"{view.ref}  {result.why}", f"topup status {view.ref}")
    return ExitCode.DONE


def reopen(
    ctx: typer.Context,
    ref: Ref,
    *,
    note: Annotated[str, typer.Option(help="Why; it is kept with the order.", metavar="TEXT")],
    by: By = None,
) -> None:
    """Go on with an order whose run was terminated or broken.

    It looks the order up and never sends again.

    [bold]Example[/]
      topup reopen order-1042 --note "terminated by mistake"
    """

    async def act(session: Session) -> ExitCode:
        checked, why, who = inputs.ref_of(ref), inputs.words_of("--note", note), inputs.by_of(by)
        topups = await session.temporal.topups()
        await bounded(topups.order(checked).reopen(note=why, by=who))
        tell("reopened", f"{checked}  it is looked up, and nothing is sent", f"topup watch {checked}")
        return ExitCode.DONE

    perform(ctx, act, ref=ref, interrupted="interrupted; it may have been reopened: `topup status` shows it")


def setup(ctx: typer.Context) -> None:
    """Give the namespace what orders need.

    Registers the search attributes; keeps finished orders 90 days where it may; has the books compared daily.
    Harmless when repeated.

    [bold]Example[/]
      TEMPORAL_ADDRESS=localhost:7233 topup setup
    """

    async def act(session: Session) -> ExitCode:
        done = await session.temporal.set_up()
        out = console()
        out.print(Text("ready: ", "bold green").append(_added(done.added), ""), soft_wrap=True)
        out.print(f"  finished orders are kept for {done.retention_days:g} days")
        if done.schedule:
            out.print(f"  reconciliation: {done.schedule}")
        if done.retention_note:
            note(done.retention_note)
        return ExitCode.DONE

    perform(ctx, act, interrupted="interrupted; run `topup setup` again, it is harmless")


def _added(names: tuple[str, ...]) -> str:
    return f"search attributes added: {', '.join(names)}" if names else "every search attribute was there already"


def demo(
    *,
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything running, with the UI's address.")] = False,
) -> None:
    """See it all on this machine: ten orders, and kill -9.

    Starts a Temporal server, a stand-in provider and a worker.
    Needs no account and no key.

    [bold]Example[/]
      topup demo --keep
    """
    # Loaded here: the demo needs the worker's and the stand-in provider's rooms, the other commands don't.
    code: int = importlib.import_module("starter.demo").run(keep=keep)
    raise typer.Exit(code)


def tell(done: str, what: str, then: str) -> None:
    """Print what was done, and the command that shows how it goes on."""
    out = console()
    out.print(Text(f"{done}: ", "bold green").append(said(what, out), ""), soft_wrap=True)
    out.print(Text("  next: ", "bold").append(then, ""), soft_wrap=True)
