"""What the bridge tells whoever watches it. Words from short lists, never a ref, a number or a message."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Protocol

from topups.observations import Held, Observation

log = logging.getLogger("topups.activities")


class Watcher(Protocol):
    """Told of what activities saw. It must not block; what it raises is logged and dropped."""

    def saw(self, action: str, seen: str, reason: str) -> None:
        """An activity (prepare, send, look_up, check) answered with this kind of observation.

        `reason` is the hold's, else empty.
        """
        ...

    def balance(self, dzd: float) -> None:
        """The provider said how much money the account has now, DZD."""
        ...


class Told:
    """The way to the watcher, if there is one. An activity is never concerned by its faults."""

    def __init__(self, watcher: Watcher | None = None) -> None:
        self._watcher = watcher

    def saw(self, action: str, answer: Observation) -> None:
        """Tell of an activity's answer."""
        if self._watcher is not None:
            with _harmless():
                reason = answer.reason.value if isinstance(answer, Held) else ""
                self._watcher.saw(action, answer.kind, reason)

    def balance(self, dzd: Decimal | float | None) -> None:
        """Tell of a balance that came with an answer, where one came."""
        if self._watcher is not None and dzd is not None:
            with _harmless():
                self._watcher.balance(float(dzd))


@contextmanager
def _harmless() -> Iterator[None]:
    try:
        yield
    except Exception:
        log.exception("A watcher failed; the order is not concerned")
