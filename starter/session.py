"""What every command needs: a way to the orders, and one place that turns errors into exit codes."""

import asyncio
import os
import sys
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import NoReturn, Protocol

import typer

from starter.connection import Connection, address
from starter.exits import ExitCode, explain
from starter.output import complain
from topups import ActResult, Phase, TopUpRequest, TopUpRow, TopUpView
from topups.books.differences import AuditResult, AuditView, ReconcileInput, Report
from topups.models import Outcome
from topups.namespace import SetupReport

TICK_SECONDS = 1.0


class OrderPort(Protocol):
    """One order, as `topups.TopUpOrder` gives it."""

    ref: str

    async def view(self) -> TopUpView: ...
    async def recheck(self, *, by: str | None = None) -> None: ...
    async def cancel(self, *, reason: str, by: str | None = None) -> ActResult: ...
    async def resolve(self, outcome: Outcome, *, note: str, by: str | None = None) -> ActResult: ...
    async def reopen(self, *, note: str, by: str | None = None) -> None: ...


class TopUpsPort(Protocol):
    """All orders, as `topups.TopUps` gives them."""

    def order(self, ref: str) -> OrderPort: ...
    async def submit(self, request: TopUpRequest) -> OrderPort: ...
    def list(
        self,
        phase: Phase | str | None = None,
        *,
        plan_code: str | None = None,
        phone_tail: str | None = None,
        needs_review: bool | None = None,
        unchanged_since: datetime | None = None,
        accepted_after: datetime | None = None,
        accepted_before: datetime | None = None,
        finished_since: datetime | None = None,
        open_only: bool = False,
    ) -> AsyncIterator[TopUpRow]: ...


class BooksPort(Protocol):
    """Reconciliations and audits, as `starter.connection.Books` gives them."""

    async def start(self, given: ReconcileInput) -> str: ...
    async def progress(self, reconcile: str) -> str | None: ...
    async def report(self, reconcile: str) -> Report: ...
    async def last(self) -> Report | None: ...
    def audits(self) -> AsyncIterator[AuditView]: ...
    async def close_audit(self, ref: str, *, note: str, by: str) -> AuditResult: ...


class TemporalPort(Protocol):
    """Where the orders live."""

    async def topups(self) -> TopUpsPort: ...
    async def books(self) -> BooksPort: ...
    async def set_up(self) -> SetupReport: ...


@dataclass(frozen=True)
class Session:
    """One run of the command. `tick`, seconds, is the pause between two looks of `watch` and `--wait`.

    `sleep` waits between two orders of an act on many.
    """

    temporal: TemporalPort = field(default_factory=Connection)
    tick: float = TICK_SECONDS
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


def session_of(ctx: typer.Context) -> Session:
    """Return the session that `run` gave to the command."""
    found = ctx.find_object(Session)
    return found if found is not None else Session()


Action = Callable[[Session], Awaitable[ExitCode]]


def perform(
    ctx: typer.Context,
    action: Action,
    *,
    ref: str | None = None,
    interrupted: str | Callable[[], str] = "interrupted; nothing changed",
) -> NoReturn:
    """Run a command's action to its exit code; expected errors become sentences on stderr.

    `ref` is the order that the sentences speak of, `interrupted` what Ctrl-C leaves behind.
    """
    raise typer.Exit(_perform(session_of(ctx), action, ref, interrupted))


def _perform(session: Session, action: Action, ref: str | None, interrupted: str | Callable[[], str]) -> ExitCode:
    async def act() -> ExitCode:
        return await action(session)

    try:
        return asyncio.run(act())
    except KeyboardInterrupt:
        complain([interrupted if isinstance(interrupted, str) else interrupted()])
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        return hung_up()
    except Exception as error:
        return report(error, ref)


def report(error: Exception, ref: str | None = None) -> ExitCode:
    """Say on stderr what went wrong and what to do next; return the exit code."""
    explained = explain(error)
    if explained is not None:
        code, sentences, hint = explained
        hint = hint.replace("WHERE", address())
        complain(sentences, hint.replace("REF", ref) if ref else hint)
        return code
    if os.environ.get("TOPUP_DEBUG") == "1":
        traceback.print_exception(error)
    words = " ".join(str(error).split()) or "no words"
    complain([f"unexpected {type(error).__name__}: {words}"], "TOPUP_DEBUG=1 shows where; what was recorded goes on")
    return ExitCode.UNEXPECTED


def hung_up() -> ExitCode:
    """The reader of our output left (`| head`): nothing is wrong, and nobody listens any more."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    return ExitCode.DONE
