"""What goes in: every rule of syntax, and a sentence for each that is broken."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.unit.story import request
from topups.errors import InvalidTopUp
from topups.models import Cancel, Offer, Phase, Resolve, TopUpRequest


def refused(**other: Any) -> dict[str, str]:
    with pytest.raises(InvalidTopUp) as caught:
        request(**other)
    return caught.value.problems


@pytest.mark.parametrize("ref", ["a", "order-1042", "A_b-9", "x" * 64, "2026-11-24_0001"])
def test_a_ref_is_1_to_64_of_the_plain_characters(ref: str) -> None:
    assert request(ref=ref).ref == ref


@pytest.mark.parametrize("ref", ["", "x" * 65, "a b", "a/b", "é", "order\n", "٣٤", "a.b", 7, None])
def test_any_other_ref_is_refused(ref: object) -> None:
    assert "1 to 64" in refused(ref=ref)["ref"]


@pytest.mark.parametrize("ref", ["0771234567", "213771234567", "00213771234567", "077-123-45-67", "771234567"])
def test_a_phone_number_is_no_ref(ref: str) -> None:
    assert "phone number" in refused(ref=ref)["ref"]


@pytest.mark.parametrize("plan", ["", "x" * 65, "PREPAID-DJEZZY", "PREPAID DJEZZY", "PIXX_500\n", 500])
def test_a_plan_is_1_to_64_letters_digits_and_underscores(plan: object) -> None:
    assert "must be 1 to 64" in refused(plan_code=plan)["plan_code"]


@pytest.mark.parametrize("amount", [1, 300_000, None])
def test_an_amount_is_1_to_300_000_dzd_or_left_out(amount: int | None) -> None:
    assert request(amount=amount).amount == amount


@pytest.mark.parametrize("amount", [0, -1, 300_001, 500.0, 500.5, "500", True])
def test_any_other_amount_is_refused(amount: object) -> None:
    assert "a whole number of DZD" in refused(amount=amount)["amount"]


@pytest.mark.parametrize("seconds", [59, 86_401, 60.0, "60"])
def test_the_time_to_deliver_is_60_to_86_400_whole_seconds(seconds: object) -> None:
    assert "whole seconds" in refused(deliver_within=seconds)["deliver_within"]
    assert request(deliver_within=60).deliver_within == 60


def test_metadata_is_text_and_at_most_2_kb() -> None:
    assert request(metadata={"k": "v" * 2_047}).metadata["k"].startswith("v")
    assert "2048 bytes" in refused(metadata={"k": "v" * 2_048})["metadata"]
    assert "text" in refused(metadata={"k": 1})["metadata"]


def test_a_missing_field_is_named_with_what_it_should_be() -> None:
    with pytest.raises(InvalidTopUp) as caught:
        TopUpRequest.model_validate({"ref": "order-1"})
    assert caught.value.problems["plan_code"].startswith("is missing; give 1 to 64")
    assert "like 0771234567" in caught.value.problems["phone"]


def test_a_field_that_no_order_has_is_refused() -> None:
    assert refused(msisdn="0771234567") == {"msisdn": "is no field of an order"}


def test_something_that_is_no_object_is_refused_in_words() -> None:
    with pytest.raises(InvalidTopUp, match="an object with the fields of an order"):
        TopUpRequest.model_validate([1, 2])


def test_all_problems_are_said_at_once_and_never_the_number_itself() -> None:
    with pytest.raises(InvalidTopUp) as caught:
        request(ref="a b", phone="0471234567", amount=0)
    assert set(caught.value.problems) == {"ref", "phone", "amount"}
    assert "0471234567" not in str(caught.value)


def test_the_number_is_normalised_and_not_shown_in_a_repr() -> None:
    order = request(phone="+213 771 23 45 67")
    assert order.phone == "0771234567"
    assert "0771234567" not in repr(order)
    assert "0771234567" not in repr(request().model_copy())


def test_two_orders_are_the_same_by_ref_plan_number_and_amount_alone() -> None:
    order = request()
    assert order.same_order(request(deliver_within=60, metadata={"a": "b"}, phone="+213771234567"))
    for other in ({"ref": "x"}, {"plan_code": "X"}, {"phone": "0771234568"}, {"amount": None}):
        assert not order.same_order(request(**other))


def test_only_getmenu_plans_buy_nothing_but_offers() -> None:
    assert request(plan_code="GETMENU_Mobilis", amount=None).offers_only
    assert not request(plan_code="GETMENUS").offers_only


def test_an_order_can_not_be_changed() -> None:
    order, field = request(), "amount"
    with pytest.raises(ValidationError, match="frozen"):
        setattr(order, field, 1_000)


def test_an_offer_keeps_the_fields_that_nobody_knows() -> None:
    offer = Offer.model_validate({"plan_code": "PIXX_500", "validity": "30 days"})
    assert offer.model_dump()["validity"] == "30 days"


def test_four_phases_are_final() -> None:
    assert [phase.value for phase in Phase if phase.final] == ["FULFILLED", "REFUNDED", "REJECTED", "CANCELLED"]


@pytest.mark.parametrize("text", ["", "x" * 501])
def test_a_persons_reason_is_1_to_500_characters(text: str) -> None:
    with pytest.raises(ValidationError):
        Cancel(reason=text)
    with pytest.raises(ValidationError):
        Resolve(outcome="FULFILLED", note=text)


@given(text=st.text(max_size=70))
def test_no_text_breaks_the_rules_in_a_way_that_has_no_sentence(text: str) -> None:
    problems = refused(ref=text, plan_code=text, phone=text, amount=0)
    assert {"amount"} <= problems.keys() <= {"ref", "plan_code", "phone", "amount"}
    assert all(problems.values())
