"""All open orders at a glance, from Temporal's visibility alone: how many, how old, how many need a person.

Temporal's visibility neither groups by a search attribute nor sorts, and it limits how often it may be asked. So each
phase is one count, and its oldest order is found by halving the time until what is left fits on one small page.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from temporalio.client import Client, WorkflowExecution
from temporalio.common import SearchAttributeKey

from topups import search_attributes
from topups.books.audits import AUDIT_TYPE
from topups.models import FINAL, Phase
from topups.start import WORKFLOW_TYPE
from topups.temporal_errors import explained

OPEN_PHASES = tuple(phase for phase in Phase if phase not in FINAL)
PAGE = 50
CALL_TIMEOUT = timedelta(seconds=10)
# A namespace may be asked some 10 times a second in all; an operator's list must not wait for us.
PAUSE_SECONDS = 0.1
# Nothing open is older. Halved 30 times this is less than a second.
OLDEST = timedelta(days=3_650)
HALVINGS_MAX = 30
DUE_WITHIN = timedelta(hours=1)
# An order still in UNKNOWN_ERROR after so many rechecks has needed a person for long.
RECHECKS_MAX = 30

_OURS = f"WorkflowType = '{WORKFLOW_TYPE}'"
_RUNNING = f"{_OURS} AND ExecutionStatus = 'Running'"
_BROKEN_OFF = f"{_OURS} AND ExecutionStatus IN ('Terminated', 'Failed', 'TimedOut')"
_AUDITS = f"WorkflowType = '{AUDIT_TYPE}' AND ExecutionStatus = 'Running'"
_WENT_ON = f"{_OURS} AND ExecutionStatus IN ('Running', 'Completed')"


class Visibility(Protocol):
    """What is asked of Temporal. Raises TemporalUnreachable."""

    async def count(self, query: str) -> int:
        """Return how many runs a query finds."""
        ...

    async def page(self, query: str) -> list[WorkflowExecution]:
        """Return the newest runs that a query finds, `PAGE` at most."""
        ...


@dataclass(frozen=True)
class OfPhase:
    """Open orders of one phase: how many, the age of the oldest since it was accepted, the longest stay in the phase.

    Both times are 0 where there is none.
    """

    open: int = 0
    oldest: timedelta = timedelta(0)
    longest: timedelta = timedelta(0)


@dataclass(frozen=True)
class Census:
    """All open orders. `needs_review` also counts those whose run was broken off and that nobody has reopened.

    `rechecks_due`: orders in UNKNOWN_ERROR that the provider is asked about within the next hour. `audits`: open audits
    that found a difference.
    """

    phases: dict[Phase, OfPhase]
    needs_review: int
    rechecks_due: int
    audits: int = 0


async def census(ask: Visibility, now: datetime, unknown_recheck: timedelta) -> Census:
    """Count. `unknown_recheck` is the time between two rechecks of an UNKNOWN_ERROR. Raises TemporalUnreachable."""
    phases = {phase: await _of_phase(ask, phase, now) for phase in OPEN_PHASES}
    reviewed = f"{search_attributes.NEEDS_REVIEW.name} = true"
    review = await ask.count(f"{_RUNNING} AND {reviewed}")
    audits = await ask.count(f"{_AUDITS} AND {reviewed}")
    due = 0
    if phases[Phase.UNKNOWN_ERROR].open:
        due = await ask.count(f"{_in(Phase.UNKNOWN_ERROR)} AND ({_due(now, unknown_recheck)})")
    return Census(phases, review + await _broken_off(ask), due, audits)


async def _of_phase(ask: Visibility, phase: Phase, now: datetime) -> OfPhase:
    count = await ask.count(_in(phase))
    if not count:
        return OfPhase()
    oldest = await _earliest(ask, phase, search_attributes.ACCEPTED_AT, count, now)
    longest = await _earliest(ask, phase, search_attributes.PHASE_SINCE, count, now)
    return OfPhase(count, max(now - oldest, timedelta(0)), max(now - longest, timedelta(0)))


async def _earliest(
    ask: Visibility, phase: Phase, attribute: SearchAttributeKey[datetime], count: int, now: datetime
) -> datetime:
    after, until = now - OLDEST, now
    for _ in range(HALVINGS_MAX):
        if count <= PAGE:
            break
        middle = after + (until - after) / 2
        before = await ask.count(_until(phase, attribute, middle))
        if before:
            count, until = before, middle
        else:
            after = middle
    found = [run.typed_search_attributes.get(attribute) for run in await ask.page(_until(phase, attribute, until))]
    # The order may have left the phase between two questions; then nobody is that old any more.
    return min((moment for moment in found if moment is not None), default=until)


async def _broken_off(ask: Visibility) -> int:
    # An id with a quote is none of ours, and would end the query's text.
    ids = {run.id for run in await ask.page(_BROKEN_OFF) if "'" not in run.id}
    if not ids:
        return 0
    named = ", ".join(f"'{workflow_id}'" for workflow_id in sorted(ids))
    return len(ids - {run.id for run in await ask.page(f"{_WENT_ON} AND WorkflowId IN ({named})")})


def _in(phase: Phase) -> str:
    return f"{_RUNNING} AND {search_attributes.PHASE.name} = '{phase.value}'"


def _until(phase: Phase, attribute: SearchAttributeKey[datetime], moment: datetime) -> str:
    return f"{_in(phase)} AND {attribute.name} <= '{moment.isoformat()}'"


def _due(now: datetime, every: timedelta) -> str:
    since = search_attributes.PHASE_SINCE.name
    windows = ((now - number * every, now - number * every + DUE_WITHIN) for number in range(1, RECHECKS_MAX + 1))
    return " OR ".join(f"{since} BETWEEN '{first.isoformat()}' AND '{last.isoformat()}'" for first, last in windows)


class TemporalVisibility:
    """Asks a server, with a pause after each question."""

    def __init__(self, client: Client, pause: float = PAUSE_SECONDS) -> None:
        self._client = client
        self._pause = pause

    async def count(self, query: str) -> int:
        """Return how many runs a query finds."""
        with explained():
            found = await self._client.count_workflows(query, rpc_timeout=CALL_TIMEOUT)
        await asyncio.sleep(self._pause)
        return found.count

    async def page(self, query: str) -> list[WorkflowExecution]:
        """Return the newest runs that a query finds, `PAGE` at most."""
        listing = self._client.list_workflows(query, page_size=PAGE, limit=PAGE, rpc_timeout=CALL_TIMEOUT)
        with explained():
            found = [run async for run in listing]
        await asyncio.sleep(self._pause)
        return found
