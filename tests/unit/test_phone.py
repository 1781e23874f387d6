"""Algerian mobile numbers, as a person types them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from topups.phone import is_phone_like, mask, normalise


@pytest.mark.parametrize(
    "typed",
    [
        "0771234567",
        " 077 12 34 567 ",
        "+213771234567",
        "+213 771 23 45 67",
        "00213771234567",
        "00213 771234567",
    ],
)
def test_every_usual_form_is_one_number(typed: str) -> None:
    assert normalise(typed) == "0771234567"


@pytest.mark.parametrize("first", ["05", "06", "07"])
def test_mobile_numbers_begin_with_05_06_or_07(first: str) -> None:
    assert normalise(f"{first}50000000") == f"{first}50000000"


@pytest.mark.parametrize(
    "typed",
    [
        "",
        " ",
        "0",
        "077123456",
        "07712345678",
        "0471234567",
        "021234567",
        "+33612345678",
        "++213771234567",
        "+",
        "077-123-4567",
        "077\t1234567",
        "0771234567\n",
        "٠٧٧١٢٣٤٥٦٧",
        "۰۷۷۱۲۳۴۵۶۷",
        "077123456a",
        "1" * 40,
    ],
)
def test_everything_else_is_refused_without_repeating_it(typed: str) -> None:
    with pytest.raises(ValueError, match=r"digits|number") as caught:
        normalise(typed)
    said = str(caught.value).replace("0771234567", "").replace("+213", "")
    assert len(typed) < 5 or typed.strip() not in said


@given(digits=st.from_regex(r"0[567][0-9]{8}", fullmatch=True))
def test_every_documented_number_is_its_own_normal_form(digits: str) -> None:
    assert normalise(digits) == digits
    assert normalise(f"+213{digits[1:]}") == digits
    assert is_phone_like(digits)


@given(text=st.text(alphabet="0123456789+ ", max_size=40))
def test_what_is_accepted_always_has_the_documented_form(text: str) -> None:
    try:
        found = normalise(text)
    except ValueError:
        return
    assert re.fullmatch(r"0[567][0-9]{8}", found)


def test_a_masked_number_can_be_recognised_but_not_called() -> None:
    assert mask("0771234567") == "077•••••67"


@pytest.mark.parametrize("ref", ["0771234567", "771234567", "00213771234567", "0771-23-45-67", "077_1234567"])
def test_a_ref_that_is_a_number_is_recognised(ref: str) -> None:
    assert is_phone_like(ref)


@pytest.mark.parametrize("ref", ["order-0771234567", "1042", "20261124", "0471234567", "07712345678"])
def test_a_ref_that_is_no_number_is_left_alone(ref: str) -> None:
    assert not is_phone_like(ref)
