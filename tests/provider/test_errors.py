"""The tree of errors, its picture, and what no error may say."""

from __future__ import annotations

import inspect
import re

import pytest

from oneclickdz import errors
from oneclickdz.errors import (
    CredentialsRefused,
    InsufficientBalance,
    KeyClosed,
    NotFound,
    NothingCreated,
    OneClickDZError,
    PerhapsCreated,
    ProviderUnavailable,
    RateLimited,
    Refused,
    SaysNothing,
    TokenMissing,
    Unreachable,
    WrongEnvironment,
)

TREE = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, OneClickDZError)]


@pytest.mark.parametrize("kind", TREE)
def test_no_error_repeats_a_whole_phone_number(kind: type[OneClickDZError]) -> None:
    failure = kind("0771234567 and +213665983439 are no secret to keep")
    for text in (str(failure), repr(failure), failure.message):
        assert "0771234567" not in text
        assert "665983439" not in text
        assert "077•••••67" in text


@pytest.mark.parametrize("kind", TREE)
def test_the_picture_shows_every_error(kind: type[OneClickDZError]) -> None:
    assert re.search(rf"\b{kind.__name__}\b", errors.__doc__ or "")


@pytest.mark.parametrize("kind", TREE)
def test_no_error_both_rules_an_order_out_and_leaves_it_open(kind: type[OneClickDZError]) -> None:
    assert not (issubclass(kind, NothingCreated) and issubclass(kind, PerhapsCreated))


@pytest.mark.parametrize(
    "kind",
    [Unreachable, RateLimited, CredentialsRefused, KeyClosed, TokenMissing, WrongEnvironment, ProviderUnavailable],
)
def test_what_can_stop_any_request_fits_sends_and_reads(kind: type[OneClickDZError]) -> None:
    assert issubclass(kind, NothingCreated)
    assert issubclass(kind, SaysNothing)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (Unreachable, "unreachable"),
        (ProviderUnavailable, "unreachable"),
        (RateLimited, "rate_limit"),
        (CredentialsRefused, "credentials"),
        (KeyClosed, "credentials"),
        (TokenMissing, "credentials"),
        (WrongEnvironment, "credentials"),
        (InsufficientBalance, "balance"),
        (Refused, None),
        (NotFound, None),
    ],
)
def test_an_error_names_the_hold_that_waiting_can_end(kind: type[OneClickDZError], reason: str | None) -> None:
    assert kind("x").reason == reason


def test_a_miss_is_not_silence() -> None:
    assert not issubclass(NotFound, SaysNothing)
