"""Whatever a backend hands over is an order within the contract, or InvalidTopUp; nothing else ever happens."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from tests.bad_input.garbage import PHONE, anything, digits, json_like, many, numbers, shows_a_number, texts
from topups import InvalidTopUp, TopUpRequest
from topups.models import Cancel, Recheck, Resolve
from topups.order import TopUpInput

GOOD: dict[str, Any] = {"ref": "order-1", "plan_code": "PREPAID_DJEZZY", "phone": PHONE, "amount": 500}
FIELDS = [*GOOD, "deliver_within", "metadata"]

refs = st.one_of(st.from_regex(r"\A[A-Za-z0-9_-]{1,64}\Z"), numbers)
plans = st.from_regex(r"\A[A-Za-z0-9_]{1,64}\Z")
spaced = numbers.flatmap(lambda number: st.integers(1, len(number)).map(lambda at: f"{number[:at]} {number[at:]}"))
pairs = st.dictionaries(texts, texts, max_size=6)
near = st.fixed_dictionaries(
    {"ref": refs, "plan_code": plans, "phone": numbers | spaced},
    optional={
        "amount": st.integers(-1, 300_001),
        "deliver_within": st.integers(58, 86_402),
        "metadata": pairs,
    },
)
far = st.dictionaries(st.sampled_from(FIELDS), anything)


def _order(given_fields: dict[str, Any]) -> TopUpRequest | InvalidTopUp:
    try:
        return TopUpRequest(**given_fields)
    except InvalidTopUp as refusal:
        return refusal


def _refused(kind: type[BaseModel], body: str | bytes) -> Exception | None:
    try:
        kind.model_validate_json(body)
    except (InvalidTopUp, ValidationError) as refusal:  # half a surrogate pair is no JSON at all
        return refusal
    return None


def _shows_a_number(refusal: Exception) -> bool:
    # "like 0771234567" is the sentence's own example.
    return shows_a_number(str(refusal).replace(f"like {PHONE}", ""))


def _is_in_the_contract(order: TopUpRequest) -> bool:
    bare = re.sub("[-_]", "", order.ref)
    size = sum(len(text.encode()) for item in order.metadata.items() for text in item)
    return all(
        (
            re.fullmatch(r"[A-Za-z0-9_-]{1,64}", order.ref, re.ASCII),
            not re.fullmatch(r"(00213|213|0)?[567][0-9]{8}", bare),
            re.fullmatch(r"[A-Za-z0-9_]{1,64}", order.plan_code, re.ASCII),
            re.fullmatch(r"0[567][0-9]{8}", order.phone, re.ASCII),
            order.amount is None or (type(order.amount) is int and 1 <= order.amount <= 300_000),
            order.deliver_within is None
            or (type(order.deliver_within) is int and 60 <= order.deliver_within <= 86_400),
            size <= 2_048,
        )
    )


def _judge(given_fields: dict[str, Any]) -> None:
    outcome = _order(given_fields)
    if isinstance(outcome, InvalidTopUp):
        assert outcome.problems
        assert not _shows_a_number(outcome), str(outcome)
        return
    assert _is_in_the_contract(outcome)
    assert TopUpRequest.model_validate_json(outcome.model_dump_json()) == outcome
    assert outcome.phone not in repr(outcome)


@many(6)
@given(near)
def test_what_is_almost_an_order_is_one_within_the_contract_or_invalid(fields: dict[str, Any]) -> None:
    _judge(fields)


@many(6)
@given(far)
def test_whatever_the_fields_hold_nothing_but_invalid_top_up_is_raised(fields: dict[str, Any]) -> None:
    _judge(GOOD | fields)
    _judge(fields)


@many(5)
@given(st.sampled_from(FIELDS), anything)
def test_one_wrong_field_is_named_alone(field: str, value: Any) -> None:
    outcome = _order(GOOD | {field: value})
    if isinstance(outcome, InvalidTopUp):
        assert set(outcome.problems) == {field}


@many(5)
@given(near | st.dictionaries(st.sampled_from(FIELDS), json_like) | st.lists(json_like))
def test_an_order_as_json_is_an_order_or_invalid(value: Any) -> None:
    refusal = _refused(TopUpRequest, json.dumps(value))
    if refusal is None:
        assert _is_in_the_contract(TopUpRequest.model_validate_json(json.dumps(value)))
    else:
        assert not _shows_a_number(refusal)


@many(5)
@given(st.binary(max_size=200) | numbers.map(str.encode))
def test_bytes_are_no_order_and_are_not_repeated(body: bytes) -> None:
    with pytest.raises((InvalidTopUp, ValidationError)) as caught:
        TopUpRequest.model_validate_json(body)
    assert not _shows_a_number(caught.value)


def test_a_number_too_long_to_be_written_is_just_invalid() -> None:
    assert isinstance(_order(GOOD | {"amount": 10**5_000, "deliver_within": -(10**5_000)}), InvalidTopUp)


@many()
@given(numbers)
def test_an_unknown_field_that_is_a_number_is_not_repeated(number: str) -> None:
    outcome = _order(GOOD | {number: 1})
    assert isinstance(outcome, InvalidTopUp)
    assert not _shows_a_number(outcome)


@many(5)
@given(st.sampled_from([Recheck, Cancel, Resolve, TopUpInput]), json_like | st.dictionaries(texts, json_like))
def test_a_word_is_valid_or_refused_without_repeating_its_input(kind: type[BaseModel], value: Any) -> None:
    refusal = _refused(kind, json.dumps(value))
    assert refusal is None or not _shows_a_number(refusal)


words = st.fixed_dictionaries(
    {},
    optional={
        "reason": texts | anything,
        "note": texts | anything,
        "by": texts | anything,
        "outcome": st.sampled_from(["FULFILLED", "REFUNDED", "NOT_CREATED", "fulfilled"]) | anything,
    },
)


@many(6)
@given(words)
def test_a_word_within_its_limits_is_taken_and_any_other_refused(fields: dict[str, Any]) -> None:
    for kind in (Recheck, Cancel, Resolve):
        word = _word(kind, fields)
        if isinstance(word, ValidationError):
            assert not _shows_a_number(word)
            continue
        assert len(word["by"]) <= 200
        assert 1 <= len(word.get("reason", "x")) <= 500
        assert 1 <= len(word.get("note", "x")) <= 500
        assert word.get("outcome", "FULFILLED") in {"FULFILLED", "REFUNDED", "NOT_CREATED"}


def _word(kind: type[BaseModel], fields: dict[str, Any]) -> dict[str, Any] | ValidationError:
    try:
        return kind.model_validate(fields).model_dump()
    except ValidationError as refusal:
        return refusal


@many(3)
@given(st.sampled_from(["0", "+213", "00213"]), st.sampled_from("567"), digits)
def test_every_form_of_a_number_is_the_same_number(head: str, operator: str, rest: str) -> None:
    outcome = _order(GOOD | {"phone": f" {head} {operator}{rest[:4]}  {rest[4:]} "})
    assert isinstance(outcome, TopUpRequest)
    assert outcome.phone == f"0{operator}{rest}"
