"""Whatever bytes the provider answers with: one of the known observations, which every order can live with."""

import json
from datetime import timedelta
from typing import Any

import pytest
from httpx import Headers
from hypothesis import given
from hypothesis import strategies as st
from temporalio.contrib.pydantic import pydantic_data_converter

from activities.translate import as_record, no_answer, send_failure
from oneclickdz import NotFound, NothingCreated, OneClickDZError, SaysNothing, SendAccepted, TopUpPage, TopUpRecord
from oneclickdz.envelope import Answer
from oneclickdz.models import WireModel
from oneclickdz.verdicts import accepted, record
from tests.bad_input.garbage import PHONE, json_like, many, numbers, shows_a_number, texts
from tests.unit.story import ACCOUNT, BEGAN, REF, Story, in_doubt, pending, sending, unknown
from topups.lifecycle import observe
from topups.models import Phase
from topups.observations import (
    Accepted,
    Duplicate,
    Found,
    Held,
    InDoubt,
    LookUpAnswer,
    NoAnswer,
    Observation,
    Refused,
    SendAnswer,
)

GOOD_RECORD: dict[str, Any] = {
    "_id": "6901616fe9e88196b4eb64b0",
    "ref": f"API-{ACCOUNT}-{REF}",
    "status": "FULFILLED",
    "plan_code": "PREPAID_DJEZZY",
    "MSSIDN": PHONE,
    "topup_amount": 500,
    "balance_amount": 490.5,
    "created_at": BEGAN.isoformat(),
    "refund_message": "تم إرجاع المبلغ",
    "suggested_offers": [{"typename": "Facture", "plan_code": "FACTURE_DJEZZY", "amount": 500}],
}
GOOD_SEND = {"success": True, "data": {"topupId": "6901616fe9e88196b4eb64b0", "topupRef": f"API-{ACCOUNT}-{REF}"}}
GOOD_PAGE = {"items": [GOOD_RECORD], "pagination": {"page": 1, "pageSize": 100, "totalPages": 1, "totalResults": 1}}
STATUSES = [200, 201, 204, 206, 301, 302, 400, 401, 403, 404, 409, 413, 418, 429, 500, 502, 503, 504, 520]
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-32", "latin-1", "cp1256"]
DEEP = b'{"success":true,"data":' * 50_000
HUGE = b'{"success": true, "data": "' + b"x" * 3_900_000 + b'"}'


def good(data: object) -> bytes:
    return json.dumps({"success": True, "data": data}).encode()


# A good body with one field that holds anything, or with a field gone.
changed = st.tuples(st.sampled_from([*GOOD_RECORD]), json_like | texts | numbers).map(
    lambda change: GOOD_RECORD | {change[0]: change[1]}
)
without = st.sampled_from([*GOOD_RECORD]).map(
    lambda name: {key: value for key, value in GOOD_RECORD.items() if key != name}
)
words = st.sampled_from(["PENDING", "HANDLING", "FULFILLED", "REFUNDED", "UNKNOWN_ERROR", "SUCCESS", ""]).map(
    lambda status: GOOD_RECORD | {"status": status}
)
bodies = (
    st.binary(max_size=60)
    | (changed | without | words | json_like).map(good)
    | json_like.map(lambda value: json.dumps(value).encode())
    | st.tuples(st.text(max_size=40), st.sampled_from(ENCODINGS)).map(lambda pair: pair[0].encode(pair[1], "replace"))
    | st.sampled_from([b"", b"\x00" * 100, b"\xff\xfe", b"<html>502 Bad Gateway</html>", b"null", b"NaN"])
)
failures = st.builds(
    lambda code, message: json.dumps({"success": False, "error": {"code": code, "message": message}}).encode(),
    st.sampled_from(["NOT_FOUND", "DUPLICATED-REF", "NO_BALANCE", "ERR_VALIDATION", "IP_BLOCKED"]) | texts,
    texts | numbers | numbers.map(lambda number: f"bad number {number}!") | json_like,
)
answers = st.builds(Answer, st.sampled_from(STATUSES), st.just(Headers()), bodies | failures)


def to_a_send(answer: Answer) -> SendAnswer:
    """What the worker reports of an answer to a POST."""
    try:
        taken = accepted(answer, now=0)
    except OneClickDZError as failure:
        return send_failure(_discreet(failure))
    return Accepted(topup_id=taken.topup_id, provider_ref=taken.topup_ref)


def to_a_check(answer: Answer) -> LookUpAnswer:
    """What the worker reports of an answer to a check."""
    try:
        seen = record(answer, TopUpRecord, now=0)
    except (SaysNothing, NothingCreated, NotFound) as failure:
        return no_answer(_discreet(failure))
    if seen.id is None:
        return NoAnswer(why="no usable id")
    return Found(record=as_record(seen), account=ACCOUNT)


def _discreet(failure: OneClickDZError) -> OneClickDZError:
    assert not shows_a_number(str(failure))
    return failure


async def _through_temporal(seen: Observation) -> Observation:
    [payload] = await pydantic_data_converter.encode([seen])
    [back] = await pydantic_data_converter.decode([payload], [type(seen)])
    assert back == seen
    return seen


def _lives_with(story: Story, seen: Observation) -> None:
    order = observe(story.order, seen, story.now + timedelta(seconds=1), 0.5)
    json.loads(order.view().model_dump_json())
    assert type(order).model_validate_json(order.model_dump_json()) == order


@many(8)
@given(answers)
async def test_an_order_lives_with_any_answer_to_its_send(answer: Answer) -> None:
    seen = await _through_temporal(to_a_send(answer))
    assert isinstance(seen, Accepted | Duplicate | Refused | Held | InDoubt)
    _lives_with(sending(), seen)


@many(12)
@given(answers)
async def test_an_order_lives_with_any_answer_to_a_check_whatever_its_phase(answer: Answer) -> None:
    seen = await _through_temporal(to_a_check(answer))
    for story in (in_doubt(), pending(), unknown()):
        _lives_with(story, seen)


@many(8)
@given(answers)
def test_only_the_provider_s_own_words_end_an_order(answer: Answer) -> None:
    story = pending()
    order = observe(story.order, to_a_check(answer), story.now, 0.5)
    if order.final:
        said = json.loads(answer.body)["data"]["status"]
        assert answer.http < 300
        assert order.phase == said
        assert said in {"FULFILLED", "REFUNDED"}


@pytest.mark.parametrize("shape", [SendAccepted, TopUpRecord, TopUpPage])
def test_an_answer_that_was_cut_off_anywhere_says_nothing(shape: type[WireModel]) -> None:
    data = {SendAccepted: GOOD_SEND["data"], TopUpRecord: GOOD_RECORD, TopUpPage: GOOD_PAGE}[shape]
    whole = good(data)
    record(Answer(200, Headers(), whole), shape, now=0)
    for length in range(len(whole)):
        with pytest.raises(SaysNothing):
            record(Answer(200, Headers(), whole[:length]), shape, now=0)


def test_a_send_whose_answer_was_cut_off_anywhere_is_in_doubt() -> None:
    whole = json.dumps(GOOD_SEND).encode()
    seen = [to_a_send(Answer(200, Headers(), whole[:length])) for length in range(len(whole))]
    assert all(isinstance(each, InDoubt) for each in seen)


@pytest.mark.parametrize("body", [DEEP, HUGE], ids=["deep", "huge"])
def test_absurd_bodies_are_just_no_answer(body: bytes) -> None:
    assert isinstance(to_a_send(Answer(200, Headers(), body)), InDoubt)
    assert isinstance(to_a_check(Answer(200, Headers(), body)), NoAnswer)


@many(3)
@given(changed)
def test_an_odd_field_never_hides_the_status_that_ends_an_order(odd: dict[str, Any]) -> None:
    story = pending()
    order = observe(story.order, to_a_check(Answer(200, Headers(), good(odd))), story.now, 0.5)
    about_the_order = {"_id", "ref", "status", "MSSIDN", "plan_code", "topup_amount"}
    if all(odd.get(name) == GOOD_RECORD[name] for name in about_the_order):
        assert order.phase is Phase.FULFILLED
