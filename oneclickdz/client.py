"""The typed client of the OneClickDZ API v3: mobile top-ups, plans and the account."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import httpx

from oneclickdz.budget import DEFAULT_LIMITS
from oneclickdz.envelope import in_utc
from oneclickdz.masking import quieten_httpx
from oneclickdz.models import (
    Account,
    Amount,
    Catalogue,
    SendAccepted,
    TopUpPage,
    TopUpRecord,
    TransactionPage,
    WireModel,
)
from oneclickdz.observer import Observer, Watched
from oneclickdz.pages import LARGEST_PAGE
from oneclickdz.session import Environment, Session, segment
from oneclickdz.stores import Store
from oneclickdz.tokens import StaticToken, TokenSource, fingerprint
from oneclickdz.wire import MayLeave, Wire

BASE_URL = "https://api.oneclickdz.com/v3"

Purpose = Literal["confirm", "audit"]


class OneClickDZ:
    """One account's access, safe to share between tasks of one event loop.

    All processes of a host that use the same ``state_dir`` share the rate limit and the guard against a
    lockout; those of several hosts do by a ``store``. Nothing leaves before /validate has confirmed the key and its
    environment.

    Args:
        token: the access token, or a source of tokens that may change while the client lives.
        environment: the environment that the key must belong to.
        state_dir: where the shared state lives; made when missing.
        base_url: the API's address, version included.
        rate_limit: requests a minute; by default 60 in the sandbox and 120 in production.
        transport: instead of the network.
        now: the wall clock, seconds since the epoch.
        sleep: waits so many seconds.
        observer: told of each request and of each wait for the rate window.
        store: the books of a key, by its fingerprint, where several hosts share them.
        coalesce: let checks that are due together share one page of the list.
    """

    def __init__(
        self,
        *,
        token: str | TokenSource,
        environment: Environment,
        state_dir: Path,
        base_url: str = BASE_URL,
        rate_limit: int | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        observer: Observer | None = None,
        store: Callable[[str], Store] | None = None,
        coalesce: bool = True,
    ) -> None:
        quieten_httpx()
        self._tokens: TokenSource = StaticToken(token) if isinstance(token, str) else token
        self._environment: Environment = environment
        self._state_dir = state_dir
        self._rate_limit = DEFAULT_LIMITS[environment] if rate_limit is None else rate_limit
        if self._rate_limit < 1:
            raise ValueError("rate_limit must be at least 1")
        self._wire = Wire(base_url, transport)
        self._now = now
        self._sleep = sleep
        self._watched = Watched(observer)
        self._store = store
        self._coalesce = coalesce
        self._sessions: dict[str, Session] = {}
        self._current: Session | None = None

    @property
    def account(self) -> Account | None:
        """The account of the key in use; None until /validate has confirmed it."""
        return self._current.account if self._current else None

    @property
    def round_seconds(self) -> float:
        """How long it takes until checks that share pages have seen every order under way once.

        Longer than a policy's own waits only with hundreds of them: who asks again sooner hears nothing new.
        """
        return self._current.round_seconds if self._current else 0.0

    async def validate(self) -> Account:
        """Ask whose key it is. Source: api-reference/core/validate-token.

        Raises CredentialsRefused, WrongEnvironment, RateLimited or Unreachable.
        """
        return await self._session().validate()

    async def identify(self) -> Account:
        """Whose key it is, from what /validate said before; asked once where it never did.

        Raises CredentialsRefused, WrongEnvironment, RateLimited or Unreachable.
        """
        return await self._session().identify()

    async def send(
        self,
        *,
        plan_code: str,
        phone: str,
        amount: int | None,
        ref: str,
        may_leave: MayLeave,
        newcomer: bool = True,
    ) -> SendAccepted:
        """Order a top-up. One call is one POST at most. Source: api-reference/mobile/send-topup.

        Args:
            phone: national form, ``0[567]`` and 8 digits.
            amount: whole DZD; for a fixed plan its own amount, None only where nobody knows one.
            ref: the caller's; the provider refuses a second order with it.
            may_leave: called again and again up to the moment before the first byte; what it raises
                comes out unchanged, and then nothing was sent. It must not block.
            newcomer: whether this order hasn't been told to come back later: those who were go first.

        Raises NothingCreated or PerhapsCreated, and nothing else of this package.
        """
        body: dict[str, object] = {"plan_code": plan_code, "MSSIDN": phone, "ref": ref}
        if amount is not None:
            body["amount"] = amount
        session = self._session()

        def leave() -> None:
            # Another call may have met a new key meanwhile: `account` must be that of the key which sends.
            self._current = session
            may_leave()

        return await session.send(body, leave, newcomer=newcomer)

    async def check_id(
        self,
        topup_id: str,
        *,
        sent_at: datetime | None = None,
        seen_at: datetime | None = None,
        purpose: Purpose = "confirm",
    ) -> TopUpRecord:
        """The order with the provider's id. Raises NotFound or SaysNothing. Source: mobile/check-by-id.

        With ``sent_at``, about when it was sent, it is the check of an order under way: those that are due
        together share one page of the list, where that is cheaper. Its answer is newer than ``seen_at``, when the
        last one came.
        """
        session = self._session()
        if sent_at is not None:
            return await session.check(topup_id, sent_at, seen_at)
        return await session.read(f"/mobile/check-id/{segment(topup_id)}", TopUpRecord, kind=purpose)

    async def check_ref(self, ref: str, *, purpose: Purpose = "confirm") -> TopUpRecord:
        """The order with exactly this form of a ref. Raises NotFound or SaysNothing. Source: mobile/check-by-ref.

        The provider may store ``API-<username>-<ref>``; trying both forms is the caller's part.
        """
        return await self._session().read(f"/mobile/check-ref/{segment(ref)}", TopUpRecord, kind=purpose)

    async def list_topups(
        self,
        *,
        page: int = 1,
        page_size: int = 100,
        since: datetime | None = None,
        until: datetime | None = None,
        purpose: Purpose = "confirm",
    ) -> TopUpPage:
        """One page of orders. Raises SaysNothing. Source: api-reference/mobile/list-topups.

        ``since`` and ``until`` come together or not at all, with a time zone; ``page_size`` is at most 100.
        """
        params = _page_params(page, page_size, since, until)
        return await self._session().read("/mobile/list", TopUpPage, params, kind=purpose)

    async def plans(self) -> Catalogue:
        """The account's plans; cache them, they change rarely. Raises SaysNothing. Source: mobile/list-plans."""
        return await self._session().read("/mobile/plans", Catalogue)

    async def balance(self) -> Decimal:
        """The account's money now, DZD. Raises SaysNothing. Source: api-reference/account/get-balance."""
        return (await self._session().read("/account/balance", _Balance, kind="audit")).balance

    async def transactions(
        self,
        *,
        page: int = 1,
        page_size: int = 100,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> TransactionPage:
        """One page of the account's movements. Raises SaysNothing. Source: account/list-transactions."""
        params = _page_params(page, page_size, since, until)
        return await self._session().read("/account/transactions", TransactionPage, params, kind="audit")

    async def aclose(self) -> None:
        """Close all connections; the client can't be used afterwards."""
        for session in self._sessions.values():
            await session.aclose()
        await self._wire.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"OneClickDZ(environment={self._environment!r}, state_dir={str(self._state_dir)!r})"

    def _session(self) -> Session:
        token = self._tokens.read()
        name = fingerprint(token)
        if name not in self._sessions:
            self._sessions[name] = Session(
                token,
                wire=self._wire,
                environment=self._environment,
                state_dir=self._state_dir,
                rate_limit=self._rate_limit,
                now=self._now,
                sleep=self._sleep,
                watched=self._watched,
                store=self._store(name) if self._store else None,
                coalesce=self._coalesce,
            )
        self._current = self._sessions[name]
        return self._current


class _Balance(WireModel):
    balance: Amount


def _page_params(page: int, page_size: int, since: datetime | None, until: datetime | None) -> dict[str, str | int]:
    if page < 1 or not 1 <= page_size <= LARGEST_PAGE:
        raise ValueError(f"page counts from 1, page_size is 1 to {LARGEST_PAGE}")
    params: dict[str, str | int] = {"page": page, "pageSize": page_size}
    if since is None and until is None:
        return params
    if since is None or until is None:
        raise ValueError("give both since and until, or neither")
    return {**params, "from": in_utc(since), "to": in_utc(until)}
