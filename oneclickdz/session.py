"""All use of one key: nothing but /validate leaves with it before /validate has said yes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar
from urllib.parse import quote

from filelock import AsyncFileLock, Timeout
from httpx import codes
from pydantic import BaseModel

from oneclickdz.budget import Kind
from oneclickdz.coalescing import Checks
from oneclickdz.envelope import RETRY_AFTER_DEFAULT_SECONDS, Answer, in_utc, read_envelope, retry_after
from oneclickdz.errors import (
    CredentialsRefused,
    NotSent,
    OneClickDZError,
    RateLimited,
    Unreachable,
    WrongEnvironment,
)
from oneclickdz.guard import KeyGuard
from oneclickdz.limits import READ_WAIT_SECONDS, SEND_WAIT_SECONDS, Place, RateWindow
from oneclickdz.models import Account, SendAccepted, TopUpPage, TopUpRecord
from oneclickdz.observer import Watched
from oneclickdz.pages import LARGEST_PAGE, Span
from oneclickdz.state import SharedState
from oneclickdz.stores import Store, folder_trouble
from oneclickdz.tokens import fingerprint
from oneclickdz.turns import Turns
from oneclickdz.verdicts import accepted, credentials, read_failure, record, transport_failure, unfit
from oneclickdz.wire import MayLeave, TransportFailure, Wire

Environment = Literal["sandbox", "production"]
PROOF_WAIT_SECONDS = 12.0

M = TypeVar("M", bound=BaseModel)
logger = logging.getLogger(__name__)


class Session:
    """One key with its guard, its rate window and, once proven, its account."""

    def __init__(
        self,
        token: str,
        *,
        wire: Wire,
        environment: Environment,
        state_dir: Path,
        rate_limit: int,
        now: Callable[[], float],
        sleep: Callable[[float], Awaitable[object]],
        watched: Watched,
        store: Store | None = None,
        coalesce: bool = True,
    ) -> None:
        self.account: Account | None = None
        self._token = token
        self._wire = wire
        self._environment = environment
        self._now = now
        self._state = SharedState(state_dir, fingerprint(token), now=now, store=store)
        self._guard = KeyGuard(self._state, now=now)
        self._window = RateWindow(self._state, limit=rate_limit, sleep=sleep, watched=watched)
        self._watched = watched
        turns = Turns(self._state, limit=rate_limit, token=token)
        self._checks = Checks(ask_one=self._check_one, ask_page=self._check_page, turns=turns, sleep=sleep)
        self._coalesce = coalesce
        self._proving: asyncio.Task[Account] | None = None

    async def validate(self) -> Account:
        """Ask /validate now. Every failure is NothingCreated and SaysNothing."""
        account = await self._prove_once(None)
        self._check_environment(account)
        return account

    async def identify(self) -> Account:
        """Whose key it is, without a request where /validate has said so before."""
        return await self._ensure_open()

    @property
    def round_seconds(self) -> float:
        """How long it takes until shared checks have seen every order under way once."""
        return self._checks.round_seconds

    async def check(self, topup_id: str, sent_at: datetime, seen_at: datetime | None) -> TopUpRecord:
        """One order's record, perhaps from a page that answers for several. Raises NotFound or SaysNothing."""
        await self._ensure_open()
        if self._coalesce:
            return await self._checks.check(topup_id, sent_at.timestamp(), seen_at.timestamp() if seen_at else 0.0)
        return await self._check_one(topup_id)

    async def read(
        self, path: str, shape: type[M], params: Mapping[str, str | int] | None = None, *, kind: Kind = "confirm"
    ) -> M:
        """The data of a GET. Raises NotFound or SaysNothing."""
        await self._ensure_open()
        place = await self._window.acquire(kind, max_wait=READ_WAIT_SECONDS)
        may_leave, before = self._guard.must_be_open, partial(self._window.keep, place)
        with self._watched.exchange(path):
            try:
                answer = await self._wire.get(
                    path, token=self._token, may_leave=may_leave, before=before, params=params
                )
            except TransportFailure as failure:
                raise read_failure(failure.problem) from failure
            await self._settle(answer)
            return record(answer, shape, now=self._now())

    async def send(self, body: Mapping[str, object], may_leave: MayLeave, *, newcomer: bool) -> SendAccepted:
        """The answer to an order. Raises NothingCreated, PerhapsCreated or what ``may_leave`` raises."""

        def gate() -> None:
            self._guard.must_be_open()
            may_leave()

        await self._ensure_open()
        place = await self._window.acquire("send", max_wait=SEND_WAIT_SECONDS, newcomer=newcomer)
        before = partial(self._window.keep, place)
        with self._watched.exchange("/mobile/send"):
            try:
                answer = await self._wire.post(
                    "/mobile/send", token=self._token, may_leave=gate, before=before, body=body
                )
            except TransportFailure as failure:
                raise transport_failure(failure.problem) from failure
            await self._settle(answer)
            return accepted(answer, now=self._now())

    async def aclose(self) -> None:
        """End what is still under way."""
        await self._checks.aclose()
        if self._proving is not None and self._proving.cancel():
            await asyncio.wait({self._proving})

    async def _ensure_open(self) -> Account:
        account = self.account
        if account is None or not self._guard.is_proven():
            account = await self._look_closer(account)
        self._check_environment(account)
        return account

    async def _look_closer(self, known: Account | None) -> Account:
        due = await asyncio.to_thread(self._guard.look)
        return await self._prove_once(known) if known is None or due else known

    async def _check_one(self, topup_id: str) -> TopUpRecord:
        return await self.read(f"/mobile/check-id/{segment(topup_id)}", TopUpRecord, kind="check")

    async def _check_page(self, span: Span) -> TopUpPage:
        since, until = (in_utc(datetime.fromtimestamp(max(at, 0.0), UTC)) for at in (span.since, span.until))
        params: dict[str, str | int] = {"page": 1, "pageSize": LARGEST_PAGE, "from": since, "to": until}
        return await self.read("/mobile/list", TopUpPage, params, kind="check")

    def _check_environment(self, account: Account) -> None:
        if account.environment != self._environment:
            raise WrongEnvironment(
                f"The access token is valid, but it is a {account.environment} key and this is "
                f"{self._environment}. Set ONECLICKDZ_ACCESS_TOKEN to a {self._environment} key, or "
                f"ONECLICKDZ_ENVIRONMENT to {account.environment}."
            )

    async def _prove_once(self, known: Account | None) -> Account:
        # Callers at the same time share one request and its outcome.
        if self._proving is None or self._proving.done():
            self._proving = asyncio.create_task(self._prove(known))
            # Callers may all have gone; the outcome is then in the shared state.
            self._proving.add_done_callback(lambda task: task.cancelled() or task.exception())
        return await asyncio.shield(self._proving)

    async def _prove(self, known: Account | None) -> Account:
        due = await asyncio.to_thread(self._guard.look)
        # One process of the host at a time, so that a bad key costs one attempt and not one a process.
        lock = AsyncFileLock(self._state.proof_lock_file, timeout=PROOF_WAIT_SECONDS, thread_local=False)
        try:
            await lock.acquire()
        except Timeout:
            raise Unreachable(
                "Another process of this host is still trying the access token. Try again in a few seconds."
            ) from None
        except OSError as problem:
            raise RateLimited(folder_trouble(self._state.proof_lock_file.parent, problem)) from None
        try:
            due = await asyncio.to_thread(self._guard.look)
            if known is None or due:
                self.account = known = await self._validate()
            return known
        finally:
            await lock.release()

    async def _validate(self) -> Account:
        place = await self._window.acquire("validate", max_wait=READ_WAIT_SECONDS)
        before = await asyncio.to_thread(self._guard.begin)
        try:
            account = await self._ask_whose_key(place)
        except CredentialsRefused as refusal:
            await asyncio.to_thread(self._guard.refused, refusal)
            raise
        except NotSent:
            await asyncio.to_thread(self._guard.withdraw, before)
            raise
        except OneClickDZError as problem:
            await asyncio.to_thread(self._guard.unclear)
            raise _unconfirmed(problem) from problem
        await asyncio.to_thread(self._guard.opened)
        return account

    async def _ask_whose_key(self, place: Place) -> Account:
        with self._watched.exchange("/validate"):
            try:
                answer = await self._wire.get(
                    "/validate", token=self._token, may_leave=_always, before=partial(self._window.keep, place)
                )
            except TransportFailure as failure:
                raise read_failure(failure.problem) from failure
            if answer.http == codes.TOO_MANY_REQUESTS:
                await self._window.hold(self._asked_to_wait(answer))
            account = record(answer, Account, now=self._now())
        if refusal := unfit(account):
            raise refusal
        return account

    async def _settle(self, answer: Answer) -> None:
        try:
            if answer.http == codes.TOO_MANY_REQUESTS:
                await self._window.hold(self._asked_to_wait(answer))
            if refusal := credentials(answer, read_envelope(answer)):
                await asyncio.to_thread(self._guard.refused, refusal)
            elif codes.is_success(answer.http) and self._guard.is_on_trial():
                await asyncio.to_thread(self._guard.works)
        except RateLimited as problem:
            # An order may stand behind this answer: trouble with our own files must not hide it.
            logger.warning("An answer could not be written down: %s", problem)

    def _asked_to_wait(self, answer: Answer) -> float:
        return retry_after(answer.headers, now=self._now()) or RETRY_AFTER_DEFAULT_SECONDS


def segment(text: str) -> str:
    """An id or ref as one segment of a path. Raises ValueError for one that would climb up the path."""
    if not text.strip("."):
        raise ValueError("an id or ref can't be empty or dots alone")
    return quote(text, safe="")


def _always() -> None:
    """Nothing speaks against a /validate once the guard has let it begin."""


def _unconfirmed(problem: OneClickDZError) -> RateLimited | Unreachable:
    kind = RateLimited if problem.http == codes.TOO_MANY_REQUESTS else Unreachable
    return kind(
        f"The access token is not confirmed yet, so nothing is sent. {problem.message}",
        http=problem.http,
        code=problem.code,
        retry_after=problem.retry_after,
    )
