"""What becomes of an order, by its number and by the hand of the test."""

import pytest

from simulator.scenarios import UNKNOWN
from tests.simulator.stand import DJEZZY, Stand

TWELVE_HOURS = 43_200


async def seen(stand: Stand, phone: str, *instants: float) -> list[str]:
    """Send to ``phone`` and look at those seconds after."""
    await stand.send("r", MSSIDN=phone)
    start, words = stand.clock.now, []
    for second in instants:
        stand.clock.now = start + second
        words.append(await stand.status("r"))
    return words


async def test_a_normal_number_is_pending_then_handling_then_fulfilled(stand: Stand) -> None:
    words = await seen(stand, DJEZZY, 0, 4.9, 5, 14.9, 15, 99)
    assert words == ["PENDING", "PENDING", "HANDLING", "HANDLING", "FULFILLED", "FULFILLED"]
    assert [row["ref"] for row in stand.rows("delivery")] == ["r"]


@pytest.mark.parametrize(
    ("phone", "words"),
    [
        ("0600000003", ["UNKNOWN_ERROR", "UNKNOWN_ERROR", "UNKNOWN_ERROR"]),
        ("0600000004", ["UNKNOWN_ERROR", "UNKNOWN_ERROR", "FULFILLED"]),
        ("0600000005", ["UNKNOWN_ERROR", "UNKNOWN_ERROR", "REFUNDED"]),
        ("0600000006", ["HANDLING", "HANDLING", "HANDLING"]),
        ("0600000007", ["AWAITING_OPERATOR"] * 3),
    ],
)
async def test_our_own_numbers_show_what_the_sandbox_lacks(stand: Stand, phone: str, words: list[str]) -> None:
    assert await seen(stand, phone, 15, TWELVE_HOURS - 1, TWELVE_HOURS) == words


async def test_one_number_goes_back_from_handling_to_pending(stand: Stand) -> None:
    words = await seen(stand, "0600000008", 0, 5, 8, 12, 15)
    assert words == ["PENDING", "HANDLING", "PENDING", "HANDLING", "FULFILLED"]


async def test_a_refund_gives_the_money_back_and_says_why_in_arabic(stand: Stand) -> None:
    before = await stand.balance()
    assert await seen(stand, "0600000001", 14, 15) == ["HANDLING", "REFUNDED"]
    record = await stand.record("r")
    assert record["balance_amount"] == 0
    assert "رقم" in record["refund_message"]
    assert "suggested_offers" not in record
    assert await stand.balance() == before
    assert [row["refunded"] for row in stand.rows("refund")] == [490]
    assert stand.rows("delivery") == []


async def test_a_plan_that_does_not_fit_the_line_comes_back_with_an_offer(stand: Stand) -> None:
    await seen(stand, "0600000002", 15)
    offers = (await stand.record("r"))["suggested_offers"]
    assert offers == [{"typename": "FACTURE", "plan_code": "FACTURE_DJEZZY", "amount": 500}]


async def test_a_menu_comes_back_with_several_offers_that_can_be_bought(stand: Stand) -> None:
    await stand.send("menu", plan_code="GETMENU_Djezzy", amount=None)
    stand.clock.pass_seconds(15)
    record = await stand.record("menu")
    assert record["status"] == "REFUNDED"
    assert len(record["suggested_offers"]) > 1
    for number, offer in enumerate(record["suggested_offers"]):
        bought = await stand.send(f"b{number}", plan_code=offer["plan_code"], amount=offer["amount"])
        assert bought.status_code == 200


async def test_an_order_in_doubt_keeps_its_money_and_says_so(stand: Stand) -> None:
    await seen(stand, "0600000003", 20)
    record = await stand.record("r")
    assert (record["balance_amount"], record["refund_message"]) == (490, UNKNOWN)
    assert stand.rows("refund") == stand.rows("delivery") == []


async def test_speed_shortens_every_delay_of_the_provider(stand: Stand) -> None:
    await stand.admin("POST", "settings", {"speed": 3600})
    assert await seen(stand, "0600000004", 0.01, 12) == ["UNKNOWN_ERROR", "FULFILLED"]


async def test_a_new_speed_counts_for_orders_that_are_under_way(stand: Stand) -> None:
    await stand.send("r", MSSIDN="0600000005")
    stand.clock.pass_seconds(12)
    await stand.admin("POST", "settings", {"speed": 3600})
    assert await stand.status("r") == "REFUNDED"


async def test_an_order_in_doubt_can_be_driven_to_its_delivery(stand: Stand) -> None:
    await seen(stand, "0600000003", 20)
    driven = await stand.admin("POST", "orders/r/status", {"status": "FULFILLED"})
    assert driven.json()["delivered"] is True
    assert await stand.status("r") == "FULFILLED"
    assert len(stand.rows("delivery")) == 1


async def test_a_driven_refund_carries_the_given_words_and_moves_the_money_once(stand: Stand) -> None:
    before = await stand.balance()
    await stand.send("r")
    told = {"status": "REFUNDED", "refund_message": "عذرا", "suggested_offers": [{"plan_code": "P"}]}
    for _ in range(2):
        await stand.admin("POST", "orders/r/status", told)
    record = await stand.record("r")
    assert (record["refund_message"], record["suggested_offers"]) == ("عذرا", [{"plan_code": "P"}])
    assert await stand.balance() == before
    assert len(stand.rows("refund")) == 1


async def test_a_driven_order_stays_until_it_is_driven_again(stand: Stand) -> None:
    await stand.send("r")
    for word in ("UNKNOWN_ERROR", "SOMETHING_NEW", "PENDING"):
        await stand.admin("POST", "orders/r/status", {"status": word})
        stand.clock.pass_seconds(TWELVE_HOURS)
        assert await stand.status("r") == word
    assert stand.rows("delivery") == []


async def test_driving_picks_the_environment_that_was_named(stand: Stand) -> None:
    await stand.send("r", key="production-key")
    stand.clock.pass_seconds(1)
    await stand.send("r")
    await stand.admin("POST", "orders/r/status", {"status": "REFUNDED", "environment": "PRODUCTION"})
    assert (await stand.record("r"))["status"] == "PENDING"
    assert (await stand.record("r", "production-key"))["status"] == "REFUNDED"


async def test_an_unknown_ref_can_not_be_driven(stand: Stand) -> None:
    assert (await stand.admin("POST", "orders/none/status", {"status": "FULFILLED"})).status_code == 404
