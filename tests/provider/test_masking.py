"""Numbers stay out of texts."""

from __future__ import annotations

import logging

import pytest

from oneclickdz import mask_phones
from oneclickdz.masking import mask_within, quieten_httpx


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("0771234567", "077•••••67"),
        ("call 0551234567.", "call 055•••••67."),
        ("+213665983439", "+21366•••••39"),
        ("00213665983439", "0021366•••••39"),
        ("213665983439", "21366•••••39"),
        ("API-+213665983439-order-1", "API-+21366•••••39-order-1"),
        ("check-ref/API-%2B213665983439-o", "check-ref/API-%2B21366•••••39-o"),
        ("MSSIDN0771234567", "MSSIDN077•••••67"),
        ("order-1042", "order-1042"),
        ("1761698159224", "1761698159224"),
        ("65f0612345678abcdef01234", "65f0612345678abcdef01234"),
        ("", ""),
    ],
)
def test_a_number_keeps_its_head_and_tail(text: str, masked: str) -> None:
    assert mask_phones(text) == masked


def test_numbers_deep_in_a_value_are_masked_too() -> None:
    value = {"0771234567": [{"a": "0771234567"}, 5, None]}
    assert mask_within(value) == {"077•••••67": [{"a": "077•••••67"}, 5, None]}


def test_httpx_logs_a_masked_address(caplog: pytest.LogCaptureFixture) -> None:
    quieten_httpx()
    quieten_httpx()
    with caplog.at_level(logging.INFO, logger="httpx"):
        logging.getLogger("httpx").info("GET %s %d", "/check-ref/API-%2B213665983439-o", 200)
    assert caplog.messages == ["GET /check-ref/API-%2B21366•••••39-o 200"]
