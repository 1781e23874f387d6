"""The options that choose orders, the same for every command that takes more than one."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated

import typer

from starter.moments import A_LENGTH, A_TIME, length_of, moment_of
from topups import InvalidTopUp
from topups.filters import Filters

_PANEL = "Which orders"

PhaseOption = Annotated[
    str | None,
    typer.Option("--phase", help="In this phase, like UNKNOWN_ERROR.", metavar="PHASE", rich_help_panel=_PANEL),
]
PlanOption = Annotated[str | None, typer.Option("--plan", help="Of this plan.", metavar="PLAN", rich_help_panel=_PANEL)]
TailOption = Annotated[
    str | None,
    typer.Option("--tail", help="For numbers that end in these three digits.", metavar="567", rich_help_panel=_PANEL),
]
OlderThan = Annotated[
    str | None,
    typer.Option("--older-than", help="So long in its phase: 90m, 2h, 3d.", metavar="TIME", rich_help_panel=_PANEL),
]
AcceptedAfter = Annotated[
    str | None,
    typer.Option(
        "--accepted-after",
        help="Accepted since: 2026-11-24, 2026-11-24T10:30 (UTC), today, yesterday, or 2h ago as 2h.",
        metavar="WHEN",
        rich_help_panel=_PANEL,
    ),
]
AcceptedBefore = Annotated[
    str | None, typer.Option("--accepted-before", help="Accepted before.", metavar="WHEN", rich_help_panel=_PANEL)
]
EndedAfter = Annotated[
    str | None, typer.Option("--ended-after", help="Ended since.", metavar="WHEN", rich_help_panel=_PANEL)
]
NeedsReview = Annotated[bool, typer.Option("--needs-review", help="That need a person.", rich_help_panel=_PANEL)]
OpenOnly = Annotated[bool, typer.Option("--open", help="That haven't ended.", rich_help_panel=_PANEL)]

_OPTIONS = {"phase": "--phase", "plan_code": "--plan", "phone_tail": "--tail"}


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


@dataclass(frozen=True)
class Choice:
    """What was typed to choose orders."""

    phase: str | None = None
    plan: str | None = None
    tail: str | None = None
    older_than: str | None = None
    accepted_after: str | None = None
    accepted_before: str | None = None
    needs_review: bool = False
    open_only: bool = False
    ended_after: str | None = None
    now: datetime = field(default_factory=_now, compare=False)

    @property
    def everything(self) -> bool:
        """Nothing was typed that would leave an order out."""
        return self == Choice()

    def filters(self) -> Filters:
        """Return the filters. Raises InvalidTopUp with a sentence for each option that is wrong."""
        problems: dict[str, str] = {}
        times = {
            "unchanged_since": self._older_than(problems),
            "accepted_after": self._moment("--accepted-after", self.accepted_after, problems),
            "accepted_before": self._moment("--accepted-before", self.accepted_before, problems),
            "finished_since": self._moment("--ended-after", self.ended_after, problems),
        }
        words = {"phase": self.phase, "plan_code": self.plan, "phone_tail": self.tail}
        flags = {"needs_review": True if self.needs_review else None, "open_only": self.open_only}
        try:
            filters = Filters.model_validate(words | times | flags)
        except InvalidTopUp as error:
            found = {_OPTIONS[name]: sentence for name, sentence in error.problems.items()}
            raise InvalidTopUp(found | problems) from None
        if problems:
            raise InvalidTopUp(problems)
        return filters

    def _older_than(self, problems: dict[str, str]) -> datetime | None:
        if self.older_than is None:
            return None
        length = length_of(self.older_than)
        if length is None:
            problems["--older-than"] = A_LENGTH
            return None
        return self.now - length

    def _moment(self, option: str, typed: str | None, problems: dict[str, str]) -> datetime | None:
        if typed is None:
            return None
        moment = moment_of(typed, self.now)
        if moment is None:
            problems[option] = A_TIME
        return moment
