"""Whose turn it is to ask for checks, and the newest page, for all processes that use one key."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cryptography.fernet import Fernet, InvalidToken
from pydantic import TypeAdapter, ValidationError

from oneclickdz.budget import WINDOW_SECONDS, floor
from oneclickdz.errors import RateLimited
from oneclickdz.models import TopUpRecord
from oneclickdz.state import PageState, SharedState, TurnState

# After a quiet time a few checks need not wait for each other.
BURST = 3
# However small the limit, the window itself keeps it.
PACE_MAX_SECONDS = 5.0

_rows: TypeAdapter[tuple[TopUpRecord, ...]] = TypeAdapter(tuple[TopUpRecord, ...])
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Page:
    """The rows of a page, and when it was asked for."""

    rows: tuple[TopUpRecord, ...]
    asked_at: float


class Turns:
    """Turns are ``pace`` seconds apart: one less than the budget keeps for checks, so that each finds its place."""

    def __init__(self, state: SharedState, *, limit: int, token: str) -> None:
        self.pace = min(WINDOW_SECONDS / max(floor("check", limit) - 1, 1), PACE_MAX_SECONDS)
        self._state = state
        # Who can read a page could ask for it too.
        secret = hashlib.sha256(b"durable-topups page of checks\0" + token.encode()).digest()
        self._cipher = Fernet(base64.urlsafe_b64encode(secret))
        self._read_at = 0.0

    def now(self) -> float:
        """The clock of all who share the key."""
        return self._state.now()

    async def take(self) -> float | Page:
        """Take the turn and return 0, or return the seconds until there is one. Raises RateLimited.

        Where another process has left a page that wasn't read here yet, return that and take nothing: it may answer
        everybody who waits.
        """
        return await asyncio.to_thread(self._take)

    async def charge(self, turns: float) -> None:
        """More than one turn was used up. Trouble with the books only makes the next one come early."""
        await asyncio.to_thread(_quietly, lambda: self._move(turns * self.pace))

    async def put_off(self, seconds: float) -> None:
        """No turn for so long, since there would be no place for its request."""
        await asyncio.to_thread(_quietly, lambda: self._move(0.0, not_before=self._state.now() + seconds))

    async def publish(self, rows: Sequence[TopUpRecord], asked_at: float) -> None:
        """Put a page where the other processes find it; without it they only ask for one more."""
        await asyncio.to_thread(_quietly, lambda: self._publish(rows, asked_at))

    def _take(self) -> float | Page:
        with self._state.locked():
            now, turn = self._state.now(), self._state.read(TurnState)
            if turn.page_at > self._read_at and (page := self._read(turn.page_at)):
                return page
            # Further ahead than any charge can be: the clock was set back.
            next_at = turn.next_at if turn.next_at <= now + WINDOW_SECONDS else now
            if next_at > now:
                return next_at - now
            next_at = max(next_at, now - BURST * self.pace) + self.pace
            self._state.save(turn.model_copy(update={"next_at": next_at}))
            return 0.0

    def _move(self, seconds: float, *, not_before: float = 0.0) -> None:
        with self._state.locked():
            turn = self._state.read(TurnState)
            self._state.save(turn.model_copy(update={"next_at": max(turn.next_at + seconds, not_before)}))

    def _publish(self, rows: Sequence[TopUpRecord], asked_at: float) -> None:
        body = self._cipher.encrypt(_rows.dump_json(tuple(rows), by_alias=True)).decode()
        with self._state.locked():
            turn = self._state.read(TurnState)
            self._read_at = max(self._read_at, asked_at)
            if turn.page_at < asked_at:
                self._state.save(PageState(asked_at=asked_at, body=body))
                self._state.save(turn.model_copy(update={"page_at": asked_at}))

    def _read(self, page_at: float) -> Page | None:
        page = self._state.read(PageState)
        self._read_at = page_at
        try:
            rows = _rows.validate_json(self._cipher.decrypt(page.body.encode()), by_alias=True, by_name=False)
        except (InvalidToken, ValidationError):
            logger.warning("The page of checks that another process left can't be read")
            return None
        return Page(rows, page.asked_at)


def _quietly(work: Callable[[], None]) -> None:
    try:
        work()
    except RateLimited as trouble:
        logger.warning("A turn could not be written down: %s", trouble)
