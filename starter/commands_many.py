"""The acts that take one order or many: recheck and resolve."""

import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

import typer

from starter import inputs
from starter.choosing import (
    AcceptedAfter,
    AcceptedBefore,
    Choice,
    NeedsReview,
    OlderThan,
    PhaseOption,
    PlanOption,
    TailOption,
)
from starter.commands_acts import REST, By, outcome_code, tell
from starter.connection import bounded
from starter.exits import ExitCode
from starter.many import ENDS, Act, Chosen, Many, Rechecking, Resolving, choose
from starter.many_screen import agreed, print_chosen, print_left, progress
from starter.output import complain, console, note
from starter.session import OrderPort, Session, TopUpsPort, perform
from topups import InvalidTopUp

LIMIT, PER_MINUTE = 100, 30
CODES = (
    f"[bold]Exit codes[/]: 0 done · 2 bad input, nothing happened · {REST} · 8 no worker answered, may still be taken ·"
    " 9 refused. Of many orders one is enough, and 8 counts before 9"
)
_PANEL = "With many orders"

OneRef = Annotated[str | None, typer.Argument(metavar="REF", show_default=False)]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show which ones, do nothing.", rich_help_panel=_PANEL)]
Yes = Annotated[bool, typer.Option("--yes", help="Don't ask; for scripts.", rich_help_panel=_PANEL)]
Limit = Annotated[
    int, typer.Option("--limit", help="Touch none when more match.", min=1, max=100_000, rich_help_panel=_PANEL)
]
PerMinute = Annotated[
    int,
    typer.Option(
        "--per-minute",
        help="Orders a minute; each costs a request or more of the provider's 120 (sandbox: 60).",
        min=1,
        max=120,
        rich_help_panel=_PANEL,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print a JSON line for each order.", rich_help_panel=_PANEL)]

OnOne = Callable[[OrderPort], Awaitable[ExitCode]]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command(epilog=CODES)(recheck)
    app.command(epilog=CODES)(resolve)


@dataclass
class Asked:
    """One run of a command that takes one REF or many orders."""

    ref: str | None
    choice: Choice
    dry_run: bool
    yes: bool
    limit: int
    per_minute: int
    json: bool
    many: Many | None = None

    async def go(self, session: Session, act: Act, on_one: OnOne) -> ExitCode:
        """Act on the one order or on all that were chosen. Raises InvalidTopUp when it isn't clear which."""
        self._check()
        if self.ref is not None:
            checked = inputs.ref_of(self.ref)
            topups = await session.temporal.topups()
            return await on_one(topups.order(checked))
        filters = self.choice.filters()
        topups = await session.temporal.topups()
        chosen = await choose(topups, filters, act, explain=self.dry_run)
        if self.dry_run:
            print_chosen(chosen, act.name, self._seconds(chosen), json=self.json)
            return ExitCode.DONE
        print_left(chosen)
        return await self._on_many(session, topups, act, chosen)

    def _check(self) -> None:
        if self.ref is None and self.choice.everything:
            raise InvalidTopUp({"REF": "is missing; give one, or choose orders by --phase, --older-than, --tail …"})
        if self.ref is not None and (not self.choice.everything or self.dry_run or self.json):
            raise InvalidTopUp({"REF": "is one order; options that choose orders, --dry-run and --json are for many"})

    def _seconds(self, chosen: Chosen) -> float:
        return max(len(chosen.rows) - 1, 0) * 60 / self.per_minute

    async def _on_many(self, session: Session, topups: TopUpsPort, act: Act, chosen: Chosen) -> ExitCode:
        if not chosen.rows:
            note(f"no open order to {act.name}; --dry-run shows what else matches")
            return ExitCode.DONE
        if len(chosen.rows) > self.limit:
            complain([f"{len(chosen.rows)} orders match, the limit is {self.limit}: none was touched"], "--limit N")
            return ExitCode.BAD_INPUT
        if not self.yes and not sys.stdin.isatty():
            complain(["nobody can be asked here: nothing was touched"], "look with --dry-run, then add --yes")
            return ExitCode.BAD_INPUT
        if not self.yes and not agreed(chosen, act.name, self._seconds(chosen)):
            note("nothing was touched")
            return ExitCode.BAD_INPUT
        with progress(len(chosen.rows), act.name, json=self.json) as show:
            self.many = Many(act, chosen.rows, 60 / self.per_minute, session.sleep, show)
            await self.many.run(topups)
        if not self.json:
            console().print(f"{act.name}: {self.many.summary()}")
        return self.many.code()

    def interrupted(self, one: str) -> Callable[[], str]:
        """Return what Ctrl-C leaves behind: `one` for a single order."""

        def say() -> str:
            if self.many is not None:
                return f"interrupted: {self.many.so_far()}"
            return one if self.ref is not None else "interrupted; nothing was touched"

        return say


def recheck(
    ctx: typer.Context,
    ref: OneRef = None,
    *,
    phase: PhaseOption = None,
    plan: PlanOption = None,
    tail: TailOption = None,
    older_than: OlderThan = None,
    accepted_after: AcceptedAfter = None,
    accepted_before: AcceptedBefore = None,
    needs_review: NeedsReview = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    limit: Limit = LIMIT,
    per_minute: PerMinute = PER_MINUTE,
    json: Json = False,
    by: By = None,
) -> None:
    """Ask the provider now; never sends what wasn't due.

    On hold: tries the hold's reason now. At the earliest 5 s after the order's last request.
    Takes one REF, or every open order that is all that the options say.

    [bold]Example[/]
      topup recheck order-1042
      topup recheck --phase UNKNOWN_ERROR --older-than 24h --dry-run
      topup recheck --phase UNKNOWN_ERROR --older-than 24h --yes --json
    """
    choice = Choice(phase, plan, tail, older_than, accepted_after, accepted_before, needs_review)
    asked = Asked(ref, choice, dry_run, yes, limit, per_minute, json)

    async def act(session: Session) -> ExitCode:
        who = inputs.by_of(by)

        async def on_one(order: OrderPort) -> ExitCode:
            await bounded(order.recheck(by=who))
            tell("recheck asked for", order.ref, f"topup watch {order.ref}")
            return ExitCode.DONE

        return await asked.go(session, Rechecking(by=who), on_one)

    perform(ctx, act, ref=ref, interrupted=asked.interrupted("interrupted; the recheck may have been asked for"))


def resolve(
    ctx: typer.Context,
    ref: OneRef = None,
    *,
    outcome: Annotated[str, typer.Option("--as", help="FULFILLED, REFUNDED or NOT_CREATED.", metavar="OUTCOME")],
    words: Annotated[str, typer.Option("--note", help="How you know; it is kept with the order.", metavar="TEXT")],
    phase: PhaseOption = None,
    plan: PlanOption = None,
    tail: TailOption = None,
    older_than: OlderThan = None,
    accepted_after: AcceptedAfter = None,
    accepted_before: AcceptedBefore = None,
    needs_review: NeedsReview = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    limit: Limit = LIMIT,
    per_minute: PerMinute = PER_MINUTE,
    json: Json = False,
    by: By = None,
) -> None:
    """Say what happened to an order that the provider can't settle.

    From now on nothing is sent for it.
    One fresh look comes first, at each order: the provider's own final answer wins (exit 9).
    Takes one REF, or every open order that is all that the options say.

    [bold]Example[/]
      topup resolve order-1042 --as FULFILLED --note "support, ticket 881"
      topup resolve --phase UNKNOWN_ERROR --older-than 3d --as REFUNDED \\
                    --note "support's list of 24 November" --dry-run
    """
    choice = Choice(phase, plan, tail, older_than, accepted_after, accepted_before, needs_review)
    asked = Asked(ref, choice, dry_run, yes, limit, per_minute, json)

    async def act(session: Session) -> ExitCode:
        why, who, word = inputs.words_of("--note", words), inputs.by_of(by), inputs.outcome_of(outcome)

        async def on_one(order: OrderPort) -> ExitCode:
            return outcome_code(await order.resolve(word, note=why, by=who), ENDS[word])

        return await asked.go(session, Resolving(word, why, who), on_one)

    perform(ctx, act, ref=ref, interrupted=asked.interrupted("interrupted; it may still be taken: run the same again"))
