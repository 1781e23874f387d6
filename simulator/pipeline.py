"""The way of a request: noted, perhaps hindered, answered, noted again."""

import itertools
from dataclasses import replace

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from simulator.answers import CODE_OF_HTTP, Answer, Refusal, encode, envelope, refused, routed
from simulator.calls import Call, read_call
from simulator.clock import iso
from simulator.endpoints import Handler, Result
from simulator.faults import Fault, Faults, Moment
from simulator.gate import Gate
from simulator.holds import Gone, Holds
from simulator.provider import Provider
from simulator.wire import connection_of

_BASE36 = "0123456789abcdefghijklmnopqrstuvwxyz"
CUTS = frozenset({"timeout", "reset", "disconnect"})


class Pipeline:
    """Everything that the endpoints share. Made once for a provider."""

    def __init__(self, provider: Provider, gate: Gate, faults: Faults, holds: Holds) -> None:
        self.provider = provider
        self._gate = gate
        self._faults = faults
        self._holds = holds
        self._ids = itertools.count(20_000)

    async def serve(self, endpoint: "Endpoint", scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or cut its connection."""
        self.provider.settle()
        call = await read_call(endpoint.name, Request(scope, receive))
        self._recognise(call)
        facts = call.facts() | {"method": call.method, "path": call.path}
        if call.query:
            facts["query"] = call.query
        call.seq = self.provider.ledger.write("request", **facts)
        try:
            answer = await self._answer(endpoint, call)
            await self.provider.durable()
            await self._write(call, answer, scope, send)
        except Gone as gone:
            await self.provider.durable()
            connection = connection_of(scope)
            if connection is None:
                raise ConnectionResetError("the simulator cut the connection") from None
            await connection.cut(abrupt=gone.abrupt)

    async def _answer(self, endpoint: "Endpoint", call: Call) -> Answer:
        hindered = await self._hinder(call, "received", None)
        if hindered:
            return hindered
        answer = self._act(endpoint, call)
        is_done = answer.http == 200 or call.endpoint != "send"
        return (await self._hinder(call, "committed", answer) if is_done else None) or answer

    def _act(self, endpoint: "Endpoint", call: Call) -> Answer:
        if endpoint.handler is None or call.method != endpoint.method:
            return routed(404, f"Route {call.method}:{call.path} not found", "Not Found")
        self.provider.settle()
        try:
            key = self._gate.admit(call.token, call.address)
            result = endpoint.handler(self.provider, key, call)
        except Refusal as refusal:
            return refused(refusal, request_id=self._request_id())
        if result.order:
            call.concerns(result.order)
        return self._success(endpoint, result)

    def _success(self, endpoint: "Endpoint", result: Result) -> Answer:
        has_meta = endpoint.has_meta and not self.provider.settings.omit_meta
        body = envelope(
            result.data,
            timestamp=iso(self.provider.clock()) if has_meta else None,
            request_id=self._request_id() if endpoint.has_request_id else None,
        )
        return Answer(200, encode(body), status=result.status, noted=result.noted)

    async def _hinder(self, call: Call, moment: Moment, answer: Answer | None) -> Answer | None:
        """Meet the fault of this moment, if any: an answer of its own, a wait, or Gone."""
        fault = self._faults.take(call.endpoint, moment, call.ref, call.key)
        if fault is None:
            return None
        if fault.is_lie:
            call.lie = fault
            return None
        # Whoever watches the ledger during the wait must see what was done so far.
        await self.provider.durable()
        await self._wait(fault)
        if fault.action in CUTS:
            raise Gone(abrupt=fault.action == "reset")
        return self._faulty(fault, answer)

    async def _wait(self, fault: Fault) -> None:
        if fault.action == "hold" and fault.hold:
            await self._holds.stay(fault.hold)
        elif fault.action in {"timeout", "delay"}:
            await self._holds.pause(fault.seconds)

    def _faulty(self, fault: Fault, answer: Answer | None) -> Answer | None:
        http, headers = fault.http or 200, fault.headers
        if fault.action == "error":
            return self._error(fault, http)
        if fault.action == "redirect":
            return Answer(fault.http or 302, b"", {"Location": fault.location, **headers})
        if fault.action == "empty":
            return Answer(http, b"", headers)
        if fault.action == "broken_json":
            whole = (
                answer.body if answer else encode(envelope({}, timestamp=iso(self.provider.clock()), request_id=None))
            )
            return Answer(http, whole[: max(1, len(whole) * 2 // 3)], headers)
        return None

    def _error(self, fault: Fault, http: int) -> Answer:
        if not fault.envelope:
            return replace(routed(http, fault.message or "upstream error", "Error"), headers=fault.headers)
        code = fault.code or CODE_OF_HTTP.get(http, "INTERNAL_ERROR")
        refusal = Refusal(code, fault.message, http=http, details=fault.details, headers=fault.headers)
        return refused(refusal, request_id=self._request_id())

    async def _write(self, call: Call, answer: Answer, scope: Scope, send: Send) -> None:
        fault = self._faults.take(call.endpoint, "answered", call.ref, call.key)
        if fault:
            answer = self._faulty(fault, answer) or answer
        headers = {"Content-Type": "application/json; charset=utf-8", **answer.headers}
        headers["Content-Length"] = str(len(answer.body))
        raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": answer.http, "headers": raw})
        half = len(answer.body) // 2 if fault else 0
        if fault:
            await send({"type": "http.response.body", "body": answer.body[:half], "more_body": True})
            await self._wait(fault)
            if fault.action in CUTS:
                raise Gone(abrupt=fault.action == "reset")
        await send({"type": "http.response.body", "body": answer.body[half:], "more_body": False})
        connection = connection_of(scope)
        if connection is None or await connection.sent():
            outcome = {"status": answer.status, "http": answer.http, "code": answer.code} | answer.noted
            self.provider.ledger.write("answer", **call.facts() | outcome, request_seq=call.seq)
            await self.provider.durable()

    def _recognise(self, call: Call) -> None:
        """Let the request's row name the order, so that its rows can be found by ref."""
        if call.endpoint == "check-id" and (order := self.provider.orders.get(call.asked)):
            call.concerns(order)
        elif call.endpoint == "check-id":
            call.topup_id = call.asked
        elif call.endpoint == "check-ref":
            call.ref = call.asked
            for account in self.provider.accounts.values():
                call.ref = call.ref.removeprefix(account.prefix)

    def _request_id(self) -> str | None:
        """``req-fpg``: the counter style that was seen live."""
        if self.provider.settings.omit_request_id:
            return None
        count, digits = next(self._ids), ""
        while count:
            count, digit = divmod(count, 36)
            digits = _BASE36[digit] + digits
        return f"req-{digits}"


class Endpoint:
    """One path of the provider as an ASGI application. Without a handler it is an unknown route."""

    def __init__(
        self,
        pipeline: Pipeline,
        name: str,
        handler: Handler | None = None,
        *,
        method: str = "GET",
        has_meta: bool = True,
        has_request_id: bool = True,
    ) -> None:
        self._pipeline = pipeline
        self.name = name
        self.handler = handler
        self.method = method
        self.has_meta = has_meta
        self.has_request_id = has_request_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._pipeline.serve(self, scope, receive, send)
