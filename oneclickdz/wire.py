"""HTTP as this provider needs it: no redirects, no proxies of the environment, no retries, no endless waits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

import httpx

from oneclickdz.envelope import Answer

CONNECT_SECONDS = 5.0
POST_SECONDS = 30.0
GET_SECONDS = 8.0
LARGEST_BODY = 4_000_000
# Shorter ones are a test's; cutting them out would tear the JSON around them.
_SHORTEST_SECRET = 8
# Many servers close a connection that was idle for 5 s. A read on its way there meanwhile costs a request of the limit.
IDLE_SECONDS = 2.0
CONNECTIONS, IDLE_CONNECTIONS = 100, 20

MayLeave = Callable[[], None]
BeforeIt = Callable[[], Awaitable[None]]


class TransportFailure(Exception):
    """No answer; ``problem`` is what the transport raised."""

    def __init__(self, problem: Exception) -> None:
        super().__init__(type(problem).__name__)
        self.problem = problem


class Wire:
    """Two httpx clients under one base address.

    A POST always has a fresh connection: a stale one out of a pool would turn a send into a doubt.
    """

    def __init__(self, base_url: str, transport: httpx.AsyncBaseTransport | None) -> None:
        self._base_url = base_url.rstrip("/")
        common: dict[str, Any] = {
            "follow_redirects": False,
            "trust_env": False,
            # Loading the certificates takes a while: once is enough for both clients.
            "verify": transport is not None or httpx.create_ssl_context(trust_env=False),
            "transport": transport,
            "headers": {"Accept": "application/json", "User-Agent": "durable-topups"},
        }
        self._posts = httpx.AsyncClient(
            **common,
            limits=httpx.Limits(max_keepalive_connections=0),
            timeout=httpx.Timeout(POST_SECONDS, connect=CONNECT_SECONDS),
        )
        self._gets = httpx.AsyncClient(
            **common,
            limits=httpx.Limits(
                max_connections=CONNECTIONS,
                max_keepalive_connections=IDLE_CONNECTIONS,
                keepalive_expiry=IDLE_SECONDS,
            ),
            timeout=httpx.Timeout(GET_SECONDS, connect=CONNECT_SECONDS),
        )

    async def get(
        self,
        path: str,
        *,
        token: str,
        may_leave: MayLeave,
        before: BeforeIt,
        params: Mapping[str, str | int] | None = None,
    ) -> Answer:
        """The answer to a GET within 8 s in all. ``before`` is awaited when the connection stands.

        Raises TransportFailure, or what ``before`` or ``may_leave`` raises; then nothing has left.
        """
        gate = _Gate(may_leave, before)
        request = self._gets.build_request(
            "GET", self._base_url + path, params=params, headers=_key(token), extensions={"trace": gate.trace}
        )
        return _without(token, await _exchange(self._gets, request, gate, GET_SECONDS))

    async def post(
        self,
        path: str,
        *,
        token: str,
        may_leave: MayLeave,
        body: Mapping[str, object],
        before: BeforeIt,
    ) -> Answer:
        """The answer to a POST within 30 s in all. ``before`` is awaited when the connection stands.

        Raises TransportFailure, or what ``before`` or ``may_leave`` raises; then nothing has left.
        """
        gate = _Gate(may_leave, before)
        request = self._posts.build_request(
            "POST", self._base_url + path, json=body, headers=_key(token), extensions={"trace": gate.trace}
        )
        return _without(token, await _exchange(self._posts, request, gate, POST_SECONDS))

    async def aclose(self) -> None:
        """Close all connections."""
        await self._posts.aclose()
        await self._gets.aclose()


class _Gate:
    """Asks ``may_leave`` as late as the transport lets us, and remembers its refusal."""

    def __init__(self, may_leave: MayLeave, before: BeforeIt) -> None:
        self._may_leave = may_leave
        self._before = before
        self.refusal: BaseException | None = None

    def open(self) -> None:
        try:
            self._may_leave()
        except BaseException as refusal:
            self.refusal = refusal
            raise

    async def trace(self, event: str, _info: Mapping[str, object]) -> None:
        # The connection stands by now; raising here ends the request before its first byte.
        if event.endswith(".send_request_headers.started"):
            await self._prepare()
            self.open()

    async def _prepare(self) -> None:
        try:
            await self._before()
        except Exception as refusal:
            self.refusal = refusal
            raise


async def _exchange(http: httpx.AsyncClient, request: httpx.Request, gate: _Gate, seconds: float) -> Answer:
    response: httpx.Response | None = None
    try:
        async with asyncio.timeout(seconds):
            gate.open()
            response = await http.send(request, stream=True)
            return Answer(response.status_code, response.headers, await _body(response))
    except Exception as problem:
        if gate.refusal is not None:
            raise gate.refusal from None
        if response is None:
            raise TransportFailure(problem) from problem
        # The status still counts where the body broke off: a torn 401 is a 401.
        return Answer(response.status_code, response.headers, b"")
    finally:
        if response is not None:
            await response.aclose()


async def _body(response: httpx.Response) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > LARGEST_BODY:
            return b""
    return bytes(body)


def _without(token: str, answer: Answer) -> Answer:
    # /validate repeats the key, and so might any message: it must not get beyond this point.
    if len(token) < _SHORTEST_SECRET:
        return answer
    return replace(answer, body=answer.body.replace(token.encode(), "•••".encode()))


def _key(token: str) -> dict[str, str]:
    return {"X-Access-Token": token}
