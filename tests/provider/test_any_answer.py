"""Whatever the provider answers, every rule of money holds."""

from __future__ import annotations

import json
from typing import Any

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oneclickdz import (
    DuplicateRef,
    NotFound,
    NothingCreated,
    OneClickDZError,
    PerhapsCreated,
    ProviderUnavailable,
    SaysNothing,
    SendAccepted,
    TopUpRecord,
)
from oneclickdz.envelope import Answer
from oneclickdz.verdicts import accepted, record

CODES = [
    "ERR_VALIDATION",
    "ERR-PHONE",
    "INSUFFICIENT_BALANCE",
    "DUPLICATED-REF",
    "IP_BLOCKED",
    "API_DISABLED",
    "AUTH_UNAVAILABLE",
    "PARTNER_UNAVAILABLE",
    "NOT_FOUND",
    "ERR_NEW",
]
# No example is worth a failure because the machine is busy.
busy = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
texts = st.text("a7é٣\ud800 -_./\\", max_size=5)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts, lambda inner: st.lists(inner, max_size=3)
)
errors = st.fixed_dictionaries(
    {"code": st.sampled_from(CODES) | anything, "message": anything}, optional={"details": anything}
)
orders = st.fixed_dictionaries({}, optional={"topupId": st.just("a1") | anything, "_id": anything, "status": anything})
envelopes = st.fixed_dictionaries(
    {}, optional={"success": st.booleans() | anything, "data": orders | anything, "error": errors | anything}
)
bodies = st.binary(max_size=40) | envelopes.map(lambda body: json.dumps(body).encode())
statuses = st.sampled_from([200, 201, 204, 301, 400, 401, 403, 404, 409, 418, 429, 500, 502, 503, 504])
headers = st.sampled_from([{}, {"retry-after": "5"}, {"retry-after": "soon"}])
answers = st.builds(Answer, statuses, headers.map(httpx.Headers), bodies)


@busy
@given(answers)
def test_every_answer_to_a_send_is_one_of_three(answer: Answer) -> None:
    outcome = _send(answer)
    kinds = [isinstance(outcome, kind) for kind in (SendAccepted, NothingCreated, PerhapsCreated)]
    assert kinds.count(True) == 1


@busy
@given(answers)
def test_nothing_created_is_never_said_without_a_listed_code_or_a_401(answer: Answer) -> None:
    outcome = _send(answer)
    if isinstance(outcome, NothingCreated) and answer.http != 401:
        assert _said(answer)["success"] is False
        assert outcome.code in {code.replace("-", "_") for code in CODES} - {"ERR_NEW", "NOT_FOUND", "DUPLICATED_REF"}
        assert answer.http not in {301, 429}
        assert answer.http < 500 or isinstance(outcome, ProviderUnavailable)


@busy
@given(answers)
def test_an_order_is_accepted_only_with_a_2xx_and_an_id(answer: Answer) -> None:
    outcome = _send(answer)
    if isinstance(outcome, SendAccepted):
        assert 200 <= answer.http < 300
        assert str(_said(answer)["data"]["topupId"]) == outcome.topup_id
        assert outcome.topup_id.strip(".")
        assert not set(outcome.topup_id) & set("/\\")


@busy
@given(answers)
def test_a_duplicate_is_never_taken_for_a_refusal(answer: Answer) -> None:
    outcome = _send(answer)
    if isinstance(outcome, OneClickDZError) and outcome.code == "DUPLICATED_REF" and answer.http != 401:
        assert isinstance(outcome, DuplicateRef)


@busy
@given(answers)
def test_every_answer_to_a_read_is_a_record_a_miss_or_silence(answer: Answer) -> None:
    outcome = _read(answer)
    assert isinstance(outcome, TopUpRecord | NotFound | SaysNothing)
    assert not isinstance(outcome, TopUpRecord) or 200 <= answer.http < 300
    if isinstance(outcome, NotFound):
        assert answer.http == 404
        assert _said(answer)["error"]["code"].strip().upper() == "NOT_FOUND"


def _send(answer: Answer) -> SendAccepted | OneClickDZError:
    try:
        return accepted(answer, now=0)
    except OneClickDZError as failure:
        return failure


def _read(answer: Answer) -> TopUpRecord | OneClickDZError:
    try:
        return record(answer, TopUpRecord, now=0)
    except OneClickDZError as failure:
        return failure


def _said(answer: Answer) -> Any:
    return json.loads(answer.body)
