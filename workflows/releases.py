"""What an order was begun with: an order goes on as it began, whatever code goes on with it.

The first thing that a worker writes into an order's history is the policy, and with it the release of the worker's
code. To ask for that costs nothing, where `workflow.patched` costs two events and a write to the list. Orders of before
there were releases have the patches that they were begun with; a further run of such an order asks for them anew.
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

    release: int = 0
    by_timers: bool = False
    audits: bool = False
    own_times: bool = False


def at_the_start(given: TopUpInput) -> Ways:
    """Return what is known before the policy is read; called once, at the very start of a run.

    A new order knows nothing yet, and has no need to. In a replay it may be one that has patches; one without is told
    no, which adds nothing to its history.
    """
    if given.order is None:
        return _of_patches() if workflow.unsafe.is_replaying() else Ways()
    ways = of(given.order.release)
    # Where a worker of 0.4 took up this run, it went on in the way that it knew.
    return ways if ways is not None and keeps_older_code_away() else _of_patches()


def of(release: int) -> Ways | None:
    """Return the ways of a release; None for an order of before. Raises BegunByNewerCode, which fails the task."""
    if release > RELEASE:
        raise BegunByNewerCode(f"the order began with release {release}, and this worker has {RELEASE}: deploy it anew")
    return Ways(release, by_timers=True, audits=True, own_times=True) if release else None


def keeps_older_code_away() -> bool:
    """Mark a run whose beginning code of before releases could take for one of its own; false where it did.

    That code overlooks a release. A run that begins with the timer of `deliver_by` needs no mark.
    """
    return workflow.patched("releases")


def _of_patches() -> Ways:
    # The newest first, and the older ones only where it isn't there: so they stand in the histories.
    newest = workflow.patched("own-times")
    by_timers = newest or workflow.patched("clock-by-timers")
    audits = newest or workflow.patched("late-looks-and-audits")
    return Ways(by_timers=by_timers, audits=audits, own_times=newest)
