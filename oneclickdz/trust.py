"""Whether the provider's list is believed: one that lies or fails is left alone for a minute."""

from __future__ import annotations

import logging
from collections.abc import Callable

# For so long no page is asked for after one that failed or lied.
DISTRUST_SECONDS = 60.0
# So many orders that a page had to show, and didn't, are no chance.
LOST = 3

logger = logging.getLogger(__name__)


class Trust:
    """What the pages so far say of the list. ``now`` is the clock of all who share the key, seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._until = 0.0

    def is_there(self) -> bool:
        """Whether a page may be asked for."""
        return self._now() >= self._until

    def judge(self, sure: int, lost: int) -> None:
        """Hear how many orders a page had to show, and how many of them it didn't, or as they were long ago."""
        if self.is_there() and lost >= max(LOST, sure / 2):
            self.lose(f"a page of it doesn't show {lost} of {sure} orders as they are")

    def lose(self, why: str) -> None:
        """Leave the list alone for a minute."""
        logger.warning("Checks go one by one for %g s: the list of top-ups can't be trusted, %s", DISTRUST_SECONDS, why)
        self._until = self._now() + DISTRUST_SECONDS
