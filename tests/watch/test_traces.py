"""One trace goes from `submit` through the order to the provider's answer, and a replay adds nothing to it."""

import importlib
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.baggage import set_baggage
from opentelemetry.context import attach, detach
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Status, StatusCode, get_current_span
from temporalio.api.common.v1 import Payload
from temporalio.client import (
    Client,
    Interceptor,
    OutboundInterceptor,
    StartWorkflowInput,
    WorkflowHandle,
    WorkflowHistory,
)
from temporalio.plugin import SimplePlugin
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Replayer

from oneclickdz import Exchange, OneClickDZ
from starter.connection import quiet_runtime
from tests.provider.stand_in import BASE, KEY, Provider, ok
from topups import Phase, SetupNeeded, TopUpRequest, TopUps, TopUpsPlugin
from topups.policy import Policy
from topups.settings import WorkerSettings
from topups.traces import otlp, tracing
from topups.traces.discreet import DiscreetTracer
from watch.spans import Spans
from worker import build_worker
from workflows import TopUp

TOPUP_ID = "6901616fe9e88196b4eb64b0"
RECORD = {"_id": TOPUP_ID, "status": "FULFILLED", "ref": "order-1042", "plan_code": "PREPAID_DJEZZY"}
PLANS = {"dynamicPlans": [{"code": "PREPAID_DJEZZY", "min_amount": 100, "max_amount": 10_000}], "fixedPlans": []}
PHONE = "0771234567"


@pytest.fixture
def spans() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracer_provider(spans: InMemorySpanExporter) -> TracerProvider:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    return provider


@pytest.fixture
def provider() -> Provider:
    provider = Provider()
    provider.say("/mobile/plans", ok(PLANS))
    provider.say("/mobile/send", ok({"topupId": TOPUP_ID}))
    provider.say(f"/mobile/check-id/{TOPUP_ID}", ok(RECORD))
    return provider


@pytest.fixture
def clean() -> Iterator[None]:
    otlp.provider.cache_clear()
    yield
    otlp.provider.cache_clear()


async def _delivered(
    env: WorkflowEnvironment, provider: Provider, tracer_provider: TracerProvider, folder: Path, *more: SimplePlugin
) -> WorkflowHistory:
    address = env.client.service_client.config.target_host
    plugins = [TopUpsPlugin(), otlp.plugin(tracer_provider), *more]
    client = await Client.connect(address, plugins=plugins, runtime=quiet_runtime())
    observer = Spans(tracer_provider)
    asks = OneClickDZ(
        token=KEY,
        environment="sandbox",
        state_dir=folder,
        base_url=BASE,
        transport=provider.transport,
        observer=observer,
    )
    async with asks, build_worker(client, asks, WorkerSettings(), Policy()):
        request = TopUpRequest(ref="order-1042", plan_code="PREPAID_DJEZZY", phone=PHONE, amount=500)
        await TopUps(client).submit(request)
        # Through the environment's own client the clock skips what nobody has to wait for.
        assert (await TopUps(env.client).order("order-1042").result(timeout=30)).phase is Phase.FULFILLED
    return await env.client.get_workflow_handle("topup-order-1042").fetch_history()


def _path(span: ReadableSpan, all_spans: tuple[ReadableSpan, ...]) -> list[str]:
    """The names from a span up to the root of its trace."""
    by_id = {one.context.span_id: one for one in all_spans if one.context}
    names = [span.name]
    while span.parent is not None:
        span = by_id[span.parent.span_id]
        names.append(span.name)
    return names


async def test_one_trace_goes_from_submit_to_the_providers_answer(
    env: WorkflowEnvironment,
    provider: Provider,
    tracer_provider: TracerProvider,
    spans: InMemorySpanExporter,
    tmp_path: Path,
) -> None:
    history = await _delivered(env, provider, tracer_provider, tmp_path)
    seen = spans.get_finished_spans()
    [sent] = [span for span in seen if span.name == "provider send"]
    assert _path(sent, seen) == ["provider send", "RunActivity:send", "StartActivity:send", "StartWorkflow:TopUp"]
    [run] = [span for span in seen if span.name == "RunWorkflow:TopUp"]
    assert _path(run, seen) == ["RunWorkflow:TopUp", "StartWorkflow:TopUp"]
    traces = {span.context.trace_id for span in seen if span.context and not span.name.startswith("DescribeWorkflow")}
    assert len(traces) == 1
    assert {"provider plans", "provider check-id", "provider validate"} <= {span.name for span in seen}
    assert not [span for span in seen if PHONE in span.to_json() or KEY in span.to_json()]
    spans.clear()
    for plugins in ([TopUpsPlugin(), otlp.plugin(tracer_provider)], [TopUpsPlugin()]):
        await Replayer(workflows=[TopUp], plugins=plugins).replay_workflow(history)
    assert spans.get_finished_spans() == ()


def _fail_as_the_interceptor_does(problem: ValueError) -> None:
    get_current_span().set_status(Status(StatusCode.ERROR, f"ValueError: {problem}"))
    raise problem


def test_an_error_s_text_is_in_no_span(tracer_provider: TracerProvider, spans: InMemorySpanExporter) -> None:
    tracer = DiscreetTracer(tracer_provider.get_tracer("topups"))
    problem = ValueError(f"{PHONE} makes no sense")
    with pytest.raises(ValueError, match=PHONE), tracer.start_as_current_span("failing"):
        _fail_as_the_interceptor_does(problem)
    completed = tracer.start_span("completed")
    completed.record_exception(problem)
    completed.set_status(StatusCode.ERROR, f"ValueError: {problem}")
    completed.end()
    failing, failed = spans.get_finished_spans()
    assert (failing.status.status_code, failing.status.description) == (StatusCode.ERROR, "ValueError")
    assert (failed.status.description, failed.attributes) == ("ValueError", {"error.type": "ValueError"})
    assert PHONE not in failing.to_json() + failed.to_json()


def test_a_span_tells_all_else(tracer_provider: TracerProvider, spans: InMemorySpanExporter) -> None:
    span = DiscreetTracer(tracer_provider.get_tracer("topups")).start_span("one")
    assert span.is_recording()
    span.update_name("other")
    span.set_attribute("a", 1)
    span.set_attributes({"b": 2})
    span.add_event("half way")
    span.set_status(Status(StatusCode.OK))
    span.end()
    [seen] = spans.get_finished_spans()
    assert (seen.name, seen.attributes, seen.status.status_code) == ("other", {"a": 1, "b": 2}, StatusCode.OK)
    assert [event.name for event in seen.events] == ["half way"]


async def test_a_backend_s_baggage_gets_into_no_history(
    env: WorkflowEnvironment, provider: Provider, tracer_provider: TracerProvider, tmp_path: Path
) -> None:
    token = attach(set_baggage("customer", "a-name"))
    try:
        history = await _delivered(env, provider, tracer_provider, tmp_path)
    finally:
        detach(token)
    text = b"".join(event.SerializeToString() for event in history.events)
    assert b"traceparent" in text
    assert b"a-name" not in text


NONSENSE = [
    Payload(metadata={"encoding": b"binary/encrypted"}, data=b"sealed"),
    Payload(metadata={"encoding": b"json/plain"}, data=b"{"),
    Payload(metadata={"encoding": b"json/plain"}, data=b'"a text"'),
    Payload(metadata={"encoding": b"json/plain"}, data=b'{"traceparent": 5, "tracestate": ["x"]}'),
    Payload(metadata={"encoding": b"json/plain"}, data=b'{"traceparent": "00-nonsense"}'),
    Payload(),
]


class WithNonsense(Interceptor):
    """A client that writes a header that nobody can read."""

    def __init__(self, header: Payload) -> None:
        self._header = header

    def intercept_client(self, outbound: OutboundInterceptor) -> OutboundInterceptor:
        header = self._header

        class Writing(OutboundInterceptor):
            async def start_workflow(self, start: StartWorkflowInput) -> WorkflowHandle[Any, Any]:
                start.headers = {**start.headers, "_tracer-data": header}
                return await super().start_workflow(start)

        return Writing(outbound)


@pytest.mark.parametrize("header", NONSENSE, ids=lambda header: header.data.decode())
async def test_a_header_that_nobody_can_read_stops_no_order(
    env: WorkflowEnvironment, provider: Provider, tracer_provider: TracerProvider, tmp_path: Path, header: Payload
) -> None:
    await _delivered(env, provider, tracer_provider, tmp_path, SimplePlugin("x", interceptors=[WithNonsense(header)]))


def test_a_collector_that_does_not_answer_holds_a_process_for_two_seconds_at_most(
    monkeypatch: pytest.MonkeyPatch, clean: None
) -> None:
    answer = threading.Event()
    monkeypatch.setattr(otlp, "FLUSH_SECONDS", 0.01)
    monkeypatch.setattr(otlp.provider(), "force_flush", lambda: answer.wait(60))
    otlp.flush()
    assert not answer.is_set()
    answer.set()


def test_a_request_that_failed_is_a_failed_span(tracer_provider: TracerProvider, spans: InMemorySpanExporter) -> None:
    observer = Spans(tracer_provider)
    observer.exchanged(Exchange("send", "5xx", "none", 1.5))
    observer.exchanged(Exchange("check-ref", "4xx", "NOT_FOUND", 0.1))
    observer.waited("send", 1.0, in_vain=False)
    failed, answered = spans.get_finished_spans()
    assert (failed.status.status_code, answered.status.status_code) == (StatusCode.ERROR, StatusCode.UNSET)
    assert failed.end_time is not None
    assert failed.start_time is not None
    assert failed.end_time - failed.start_time == 1_500_000_000


def test_without_the_variable_there_are_no_traces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(tracing.VARIABLE, raising=False)
    assert tracing.plugins() == []
    tracing.flush()


def test_with_the_variable_a_client_has_the_plugin(monkeypatch: pytest.MonkeyPatch, clean: None) -> None:
    monkeypatch.setenv(tracing.VARIABLE, "http://127.0.0.1:9")
    [plugin] = tracing.plugins()
    assert plugin.name() == "topups-traces"
    assert otlp.provider().resource.attributes["service.name"] == "topups"
    tracing.flush()
    otlp.provider().shutdown()


def test_a_backend_that_has_its_own_tracing_keeps_it(
    monkeypatch: pytest.MonkeyPatch, clean: None, tracer_provider: TracerProvider
) -> None:
    monkeypatch.setattr("opentelemetry.trace.get_tracer_provider", lambda: tracer_provider)
    assert otlp.provider() is tracer_provider


def test_traces_without_the_extra_are_a_wrong_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ModuleNotFoundError(f"No module named {name}", name="opentelemetry")

    monkeypatch.setenv(tracing.VARIABLE, "http://127.0.0.1:9")
    monkeypatch.setattr(importlib, "import_module", missing)
    monkeypatch.delitem(sys.modules, "topups.traces.otlp")
    with pytest.raises(SetupNeeded, match=r"opentelemetry is missing: install durable-topups\[otel\]"):
        tracing.plugins()
    # On the way out that mistake has been told.
    tracing.flush()
