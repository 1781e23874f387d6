"""What an order was begun with: an order goes on as it began, whatever code goes on with it.

The first thing that a worker writes into an order's history is the policy, and with it the release of the worker's
code. To ask for that costs nothing, where `workflow.patched` costs two events and a write to the list. Orders of before
there were releases have the patches that they were begun with.
"""

from dataclasses import dataclass

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from topups.order import TopUpInput
    from topups.policy import RELEASE


class BegunByNewerCode(Exception):
    """The order waits for a worker whose code is as new as what it was begun with; this one would tear it apart."""


@dataclass(frozen=True)
class Ways:
    """`by_timers`: see `Clock`. `audits`: also whether an order that is found late is looked up first."""

    by_timers: bool = False
    audits: bool = False
    own_times: bool = False


OF_RELEASES = Ways(by_timers=True, audits=True, own_times=True)


def at_the_start(given: TopUpInput) -> Ways:
    """Return what is known before the policy is read; called once, at the very start of a run.

    A new order knows nothing yet, and has no need to. In a replay it may be one that has patches; one without is told
    no, which adds nothing to its history.
    """
    if given.order is not None:
        return of(given.order.release) or _of_patches()
    return _of_patches() if workflow.unsafe.is_replaying() else Ways()


def of(release: int) -> Ways | None:
    """Return the ways of a release; None for an order of before. Raises BegunByNewerCode, which fails the task."""
    if release > RELEASE:
        raise BegunByNewerCode(f"the order began with release {release}, and this worker has {RELEASE}: deploy it anew")
    return OF_RELEASES if release else None


def _of_patches() -> Ways:
    # The newest first, and the older ones only where it isn't there: so they stand in the histories.
    newest = workflow.patched("own-times")
    by_timers = newest or workflow.patched("clock-by-timers")
    return Ways(by_timers, audits=newest or workflow.patched("late-looks-and-audits"), own_times=newest)
