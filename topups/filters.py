"""Which orders a list is about, and the same as a query of Temporal's visibility."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, Self

from pydantic import AwareDatetime, Field, ModelWrapValidatorHandler, ValidationError, model_validator
from temporalio.client import WorkflowExecutionStatus

from topups import search_attributes
from topups.errors import InvalidFilter
from topups.models import Model, Phase, PlanCode
from topups.start import WORKFLOW_TYPE

BROKEN_OFF = {
    WorkflowExecutionStatus.TERMINATED: "Terminated",
    WorkflowExecutionStatus.FAILED: "Failed",
    WorkflowExecutionStatus.TIMED_OUT: "TimedOut",
}

_SENTENCES = {
    "phase": f"must be one of {', '.join(Phase)}",
    "plan_code": "must be 1 to 64 of the characters A-Z a-z 0-9 _",
    "phone_tail": "must be the number's last three digits, like 567: Temporal is told no more of it",
}
_A_TIME = "must be a time with its zone"


class Filters(Model):
    """What an order must be to be listed; what is left out doesn't matter.

    `unchanged_since`: it was in its phase then already. `accepted_after` and `finished_since` include that moment.
    Only values of these shapes get into a query, so nobody can write one of their own.

    Raises InvalidFilter, with a sentence for each field that is wrong.
    """

    phase: Phase | None = None
    plan_code: PlanCode | None = None
    phone_tail: Annotated[str, Field(pattern=r"\A[0-9]{3}\z")] | None = None
    needs_review: bool | None = None
    unchanged_since: AwareDatetime | None = None
    accepted_after: AwareDatetime | None = None
    accepted_before: AwareDatetime | None = None
    finished_since: datetime | None = None
    open_only: bool = False

    @model_validator(mode="wrap")
    @classmethod
    def _explain(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(data)
        except ValidationError as error:
            wrong = [str(problem["loc"][0]) for problem in error.errors(include_url=False, include_input=False)]
            raise InvalidFilter({name: _SENTENCES.get(name, _A_TIME) for name in wrong}) from None

    def query(self) -> str:
        """The query, as Temporal's UI and its command take it too. Old runs of an order are never in it."""
        always = (f"WorkflowType = '{WORKFLOW_TYPE}'", "ExecutionStatus != 'ContinuedAsNew'")
        return " AND ".join([*always, *self._terms()])

    def _terms(self) -> Iterator[str]:
        keywords = {
            search_attributes.PHASE: self.phase,
            search_attributes.PLAN: self.plan_code,
            search_attributes.PHONE_TAIL: self.phone_tail,
        }
        yield from (f"{key.name} = '{value}'" for key, value in keywords.items() if value is not None)
        if self.needs_review is not None:
            yield _review(self.needs_review)
        times = {
            f"{search_attributes.PHASE_SINCE.name} <=": self.unchanged_since,
            f"{search_attributes.ACCEPTED_AT.name} >=": self.accepted_after,
            f"{search_attributes.ACCEPTED_AT.name} <": self.accepted_before,
            "CloseTime >=": self.finished_since,
        }
        yield from (f"{name} '{at.astimezone(UTC).isoformat()}'" for name, at in times.items() if at is not None)
        if self.open_only:
            yield "ExecutionStatus = 'Running'"


def _review(needed: bool) -> str:
    attribute = search_attributes.NEEDS_REVIEW.name
    broken_off = "(" + ", ".join(f"'{name}'" for name in BROKEN_OFF.values()) + ")"
    if needed:
        return f"({attribute} = true OR ExecutionStatus IN {broken_off})"
    return f"({attribute} = false AND ExecutionStatus NOT IN {broken_off})"
