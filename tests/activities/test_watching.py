"""What whoever watches the bridge is told, and that an order never notices it."""

import logging
from decimal import Decimal

import pytest

from oneclickdz import DuplicateRef, InsufficientBalance, NoAnswer, SendAccepted
from tests.activities.fake import ACCOUNT, TOPUP_ID, Desk, record


class Diary:
    """A watcher that writes everything down."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, str]] = []
        self.balances: list[float] = []

    def saw(self, action: str, seen: str, reason: str) -> None:
        self.seen.append((action, seen, reason))

    def balance(self, dzd: float) -> None:
        self.balances.append(dzd)


class Broken(Diary):
    def saw(self, action: str, seen: str, reason: str) -> None:
        raise ZeroDivisionError

    def balance(self, dzd: float) -> None:
        raise ZeroDivisionError


@pytest.fixture
def diary() -> Diary:
    return Diary()


@pytest.fixture
def watched(diary: Diary) -> Desk:
    """The activities with that watcher."""
    return Desk(watcher=diary)


async def test_each_activity_tells_once_what_it_saw(watched: Desk, diary: Diary) -> None:
    watched.client.by_id = record(status="FULFILLED")
    await watched.prepares(account=None)
    await watched.sends()
    await watched.looks_up()
    await watched.checks()
    assert diary.seen == [
        ("prepare", "prepared", ""),
        ("send", "accepted", ""),
        ("look_up", "missed", ""),
        ("check", "found", ""),
    ]


async def test_sends_are_told_apart_by_what_their_answer_proves(watched: Desk, diary: Diary) -> None:
    watched.client.sends = [DuplicateRef("known"), NoAnswer("lost"), InsufficientBalance("poor", code="NO_BALANCE")]
    for number in range(3):
        await watched.sends(ref=f"order-{number}", account=ACCOUNT)
    assert diary.seen == [("send", "duplicate", ""), ("send", "in_doubt", ""), ("send", "held", "balance")]


async def test_a_balance_is_told_whenever_an_answer_to_a_send_has_one(watched: Desk, diary: Diary) -> None:
    watched.client.sends = [
        SendAccepted(topup_id=TOPUP_ID, new_balance=Decimal("4500.25")),
        SendAccepted(topup_id=TOPUP_ID),
        InsufficientBalance("poor", available=120.0),
        InsufficientBalance("poor"),
    ]
    for number in range(4):
        await watched.sends(ref=f"order-{number}", account=ACCOUNT)
    assert diary.balances == [4500.25, 120.0]


async def test_a_broken_watcher_changes_nothing_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk(watcher=Broken())
    desk.client.sends = [SendAccepted(topup_id=TOPUP_ID, new_balance=Decimal(1))]
    with caplog.at_level(logging.ERROR):
        assert (await desk.sends()).kind == "accepted"
    assert caplog.text.count("A watcher failed") == 2
