"""With many orders held for one reason, one goes first and the rest wait for its answer."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from topups.models import HoldReason
from topups.observations import Accepted, Held, OtherAccount, SendAnswer

# Credentials and the rate limit have their own keepers in the provider's client.
GATED = frozenset({HoldReason.BALANCE, HoldReason.UNREACHABLE})
PROBE_EVERY_SECONDS = 30.0
# A probe that never reports (its task died) must not close the gate for ever.
PROBE_MAX_SECONDS = 60.0


@dataclass
class _Closed:
    why: str
    amount: int
    next_probe_at: float


class Gate:
    """Shared by all sends of one worker; asked for orders that were on hold, told of every answer."""

    def __init__(self, *, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._closed: dict[HoldReason, _Closed] = {}

    def refuse(self, amount: int) -> Held | None:
        """Return why a send of `amount` DZD must not be tried now; None makes the caller the one that tries.

        A balance that refused one amount may still pay a smaller one.
        """
        concerned = {
            reason: closed
            for reason, closed in self._closed.items()
            if reason is not HoldReason.BALANCE or amount >= closed.amount
        }
        for reason, closed in concerned.items():
            wait = closed.next_probe_at - self._now()
            if wait > 0:
                wait = min(wait, PROBE_EVERY_SECONDS)
                return Held(reason=reason, why=f"{closed.why} (another order tries first)", retry_after=wait)
        for closed in concerned.values():
            closed.next_probe_at = self._now() + PROBE_MAX_SECONDS
        return None

    def learn(self, amount: int, answer: SendAnswer) -> None:
        """Take the outcome of a send of `amount` DZD."""
        if isinstance(answer, Held) and answer.reason in GATED:
            known = self._closed.get(answer.reason)
            least = amount if known is None else min(amount, known.amount)
            self._closed[answer.reason] = _Closed(answer.why, least, self._now() + PROBE_EVERY_SECONDS)
            if answer.reason is HoldReason.BALANCE:
                self._closed.pop(HoldReason.UNREACHABLE, None)
        elif isinstance(answer, OtherAccount) or (isinstance(answer, Held) and not answer.left):
            self._nothing_learned()
        else:
            self._closed.pop(HoldReason.UNREACHABLE, None)
            self._may_afford(amount, answer)

    def _nothing_learned(self) -> None:
        for closed in self._closed.values():
            closed.next_probe_at = min(closed.next_probe_at, self._now() + PROBE_EVERY_SECONDS)

    def _may_afford(self, amount: int, answer: SendAnswer) -> None:
        poor = self._closed.get(HoldReason.BALANCE)
        if poor is None or (isinstance(answer, Accepted) and amount >= poor.amount):
            self._closed.pop(HoldReason.BALANCE, None)
        else:
            self._nothing_learned()
