"""Looking up and checking: what is asked, in which order, and what counts as a miss."""

from datetime import UTC, datetime, timedelta

import pytest

from oneclickdz import (
    CredentialsRefused,
    KeyClosed,
    NotFound,
    OneClickDZError,
    ProviderUnavailable,
    RateLimited,
    SaysNothing,
    Unreachable,
)
from tests.activities.fake import ACCOUNT, NOT_FOUND, REF, TOPUP_ID, Desk, page, record
from topups.observations import Found, Missed, NoAnswer, OtherAccount

PREFIXED = f"API-{ACCOUNT}-{REF}"
SILENT: list[type[OneClickDZError]] = [
    SaysNothing,
    Unreachable,
    RateLimited,
    KeyClosed,
    CredentialsRefused,
    ProviderUnavailable,
]


async def test_a_complete_look_up_asks_bare_then_prefixed_then_the_list(desk: Desk) -> None:
    desk.client.pages = [page(of=3), page(number=2, of=3), page(number=3, of=3)]
    assert await desk.looks_up() == Missed(account=ACCOUNT)
    assert desk.client.asked == [f"check-ref {REF}", f"check-ref {PREFIXED}", "list 1", "list 2", "list 3"]


async def test_the_bare_ref_is_enough_where_it_is_known(desk: Desk) -> None:
    desk.client.by_ref[REF] = record(ref=PREFIXED)
    found = await desk.looks_up()
    assert isinstance(found, Found)
    assert (found.record.topup_id, found.account) == (TOPUP_ID, ACCOUNT)
    assert desk.client.asked == [f"check-ref {REF}"]


async def test_the_prefixed_ref_is_asked_where_the_bare_one_is_not_known(desk: Desk) -> None:
    desk.client.by_ref[PREFIXED] = record(ref=PREFIXED)
    assert isinstance(await desk.looks_up(), Found)
    assert desk.client.asked == [f"check-ref {REF}", f"check-ref {PREFIXED}"]


async def test_a_record_in_the_list_is_found_on_any_page(desk: Desk) -> None:
    desk.client.pages = [page(record(ref="order-7"), of=2), page(record(ref=PREFIXED), number=2, of=2)]
    assert isinstance(await desk.looks_up(), Found)


async def test_of_two_records_under_one_ref_the_newest_counts(desk: Desk) -> None:
    now = datetime.now(UTC)
    old = record(status="REFUNDED", created_at=now - timedelta(minutes=5))
    new = record(status="HANDLING", created_at=now)
    desk.client.pages = [page(old, new, record(status="UNKNOWN_ERROR"))]
    found = await desk.looks_up(first_send_at=now)
    assert found.record.status == "HANDLING"


async def test_a_refunded_record_may_be_of_a_former_life_so_the_newest_of_all_places_counts(desk: Desk) -> None:
    now = datetime.now(UTC)
    desk.client.by_ref[REF] = record(id="f" * 24, status="REFUNDED", created_at=now - timedelta(days=3))
    desk.client.pages = [page(record(ref=PREFIXED, status="HANDLING", created_at=now))]
    found = await desk.looks_up(first_send_at=now)
    assert (found.record.topup_id, found.record.status, found.account) == (TOPUP_ID, "HANDLING", ACCOUNT)
    assert desk.client.asked == [f"check-ref {REF}", f"check-ref {PREFIXED}", "list 1"]


async def test_a_newer_record_under_the_other_form_of_the_ref_counts(desk: Desk) -> None:
    now = datetime.now(UTC)
    desk.client.by_ref[REF] = record(id="f" * 24, status="REFUNDED", created_at=now - timedelta(minutes=4))
    desk.client.by_ref[PREFIXED] = record(ref=PREFIXED, status="REFUNDED", created_at=now)
    found = await desk.looks_up(first_send_at=now)
    assert found.record.topup_id == TOPUP_ID


async def test_a_newer_record_that_is_not_refunded_ends_the_search(desk: Desk) -> None:
    desk.client.by_ref[REF] = record(id="f" * 24, status="REFUNDED", created_at=datetime.now(UTC) - timedelta(days=3))
    desk.client.by_ref[PREFIXED] = record(ref=PREFIXED, status="FULFILLED", created_at=datetime.now(UTC))
    found = await desk.looks_up()
    assert (found.record.topup_id, found.record.status) == (TOPUP_ID, "FULFILLED")


async def test_a_refunded_record_is_what_it_is_when_nothing_newer_is_ours(desk: Desk) -> None:
    old = datetime.now(UTC) - timedelta(days=3)
    desk.client.by_ref[REF] = record(status="REFUNDED", created_at=old)
    desk.client.pages = [page(record(id="f" * 24, ref="order-7", created_at=datetime.now(UTC)))]
    found = await desk.looks_up()
    assert (found.record.topup_id, found.record.status, found.record.created_at) == (TOPUP_ID, "REFUNDED", old)


async def test_where_no_time_tells_the_newest_a_record_that_is_not_refunded_counts(desk: Desk) -> None:
    desk.client.by_ref[REF] = record(id="f" * 24, status="REFUNDED")
    desk.client.pages = [page(record(status="HANDLING"))]
    found = await desk.looks_up()
    assert (found.record.topup_id, found.record.status) == (TOPUP_ID, "HANDLING")


@pytest.mark.parametrize("kind", SILENT)
async def test_a_refunded_record_alone_is_no_answer_while_the_list_is_silent(
    desk: Desk, kind: type[OneClickDZError]
) -> None:
    desk.client.by_ref[REF] = record(status="REFUNDED", created_at=datetime.now(UTC))
    desk.client.pages = [kind("no answer")]
    assert isinstance(await desk.looks_up(), NoAnswer)


async def test_a_record_whose_id_nobody_can_ask_for_is_found_by_its_ref(desk: Desk) -> None:
    desk.client.by_ref[REF] = record(id="..")
    found = await desk.looks_up()
    assert (found.record.topup_id, found.record.status) == (None, "PENDING")


async def test_a_check_answered_with_a_record_without_an_id_says_nothing(desk: Desk) -> None:
    desk.client.by_id = record(id="..")
    assert isinstance(await desk.checks(), NoAnswer)


async def test_the_list_is_read_from_ten_minutes_before_the_first_send(desk: Desk) -> None:
    first_send = datetime.now(UTC) - timedelta(hours=2)
    await desk.looks_up(first_send_at=first_send)
    since, until = desk.client.windows[0]
    assert since == first_send - timedelta(minutes=10)
    assert until > datetime.now(UTC)


async def test_an_order_that_was_never_sent_is_looked_for_in_the_last_ten_minutes(desk: Desk) -> None:
    await desk.looks_up(first_send_at=None)
    since, _ = desk.client.windows[0]
    assert timedelta(minutes=9) < datetime.now(UTC) - since < timedelta(minutes=11)


async def test_a_list_without_end_is_no_answer(desk: Desk) -> None:
    desk.client.pages = [page(number=number, of=1_000) for number in range(1, 60)]
    answer = await desk.looks_up()
    assert isinstance(answer, NoAnswer)
    assert len(desk.client.asked) == 52


@pytest.mark.parametrize("kind", SILENT)
@pytest.mark.parametrize("place", ["bare", "prefixed", "list"])
async def test_a_miss_needs_an_answer_to_every_request(desk: Desk, kind: type[OneClickDZError], place: str) -> None:
    error = kind("no answer", retry_after=7)
    desk.client.by_ref[REF if place == "bare" else PREFIXED] = error if place != "list" else NOT_FOUND
    desk.client.pages = [error]
    assert await desk.looks_up() == NoAnswer(why="no answer", asked=kind is not RateLimited, retry_after=7)


async def test_a_list_that_is_not_found_is_no_answer(desk: Desk) -> None:
    desk.client.pages = [NotFound("no such thing")]
    assert isinstance(await desk.looks_up(), NoAnswer)


async def test_a_record_of_another_ref_is_no_answer(desk: Desk) -> None:
    desk.client.by_ref[REF] = record(ref="order-7")
    assert isinstance(await desk.looks_up(), NoAnswer)


async def test_without_a_user_name_nothing_can_be_missed(desk: Desk) -> None:
    desk.client.whose = None
    assert isinstance(await desk.looks_up(account=None), NoAnswer)
    assert desk.client.asked == []


async def test_an_order_without_an_account_takes_the_workers(desk: Desk) -> None:
    assert await desk.looks_up(account=None) == Missed(account=ACCOUNT)


@pytest.mark.parametrize("other", [{"account": "+213700000000"}, {"environment": "production"}])
async def test_another_account_or_environment_asks_nothing(desk: Desk, other: dict[str, str]) -> None:
    assert isinstance(await desk.looks_up(**other), OtherAccount)
    assert isinstance(await desk.checks(**other), OtherAccount)
    assert desk.client.asked == []


async def test_a_check_on_which_a_person_s_word_hangs_is_the_order_s_own(desk: Desk) -> None:
    desk.client.by_id = record()
    await desk.checks(last_send_at=datetime.now(UTC))
    await desk.checks(last_send_at=datetime.now(UTC), by_itself=True)
    assert desk.client.may_share == [True, False]


async def test_a_check_tells_how_long_it_takes_until_there_can_be_news(desk: Desk) -> None:
    desk.client.by_id, desk.client.round_seconds = record(), 27.0
    answer = await desk.checks()
    assert isinstance(answer, Found)
    assert answer.round_seconds == 27


async def test_a_check_tells_when_it_was_answered(desk: Desk) -> None:
    desk.client.by_id = record()
    before = datetime.now(UTC)
    answer = await desk.checks()
    assert isinstance(answer, Found)
    assert answer.ended_at is not None
    assert before <= answer.ended_at <= datetime.now(UTC)


async def test_a_check_asks_by_the_id_alone(desk: Desk) -> None:
    desk.client.by_id = record(
        status="REFUNDED",
        amount="500",
        balance_amount="0",
        refund_message="رقم غير صحيح",
        suggested_offers=[{"plan_code": "FACTURE_DJEZZY", "amount": 500, "hint": "new"}],
    )
    found = await desk.checks()
    assert desk.client.asked == [f"check-id {TOPUP_ID}"]
    assert (found.record.status, found.record.amount, found.record.balance_amount) == ("REFUNDED", 500.0, 0.0)
    assert found.record.refund_message == "رقم غير صحيح"
    offer = found.record.suggested_offers[0].model_dump()
    assert (offer["plan_code"], offer["hint"]) == ("FACTURE_DJEZZY", "new")


@pytest.mark.parametrize("kind", [*SILENT, NotFound])
async def test_a_check_without_a_record_says_nothing(desk: Desk, kind: type[OneClickDZError]) -> None:
    desk.client.by_id = kind("no answer")
    assert await desk.checks() == NoAnswer(why="no answer", asked=kind is not RateLimited)


@pytest.mark.parametrize("kind", SILENT)
async def test_while_nobody_says_whose_key_it_is_nothing_is_asked(desk: Desk, kind: type[OneClickDZError]) -> None:
    desk.client.whose = kind("not confirmed")
    assert await desk.checks() == NoAnswer(why="not confirmed", asked=kind is not RateLimited)
    assert await desk.looks_up() == NoAnswer(why="not confirmed", asked=kind is not RateLimited)
    assert desk.client.asked == []


async def test_no_number_is_ever_logged(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    desk.client.by_ref[REF] = record()
    with caplog.at_level("DEBUG"):
        await desk.sends()
        await desk.looks_up()
    assert f"look_up {REF}: found (PENDING)" in caplog.text
    assert "0771234567" not in caplog.text


async def test_a_page_that_was_not_asked_for_is_no_answer(desk: Desk) -> None:
    desk.client.pages = [page(number=1, of=3)]
    assert isinstance(await desk.looks_up(), NoAnswer)


async def test_a_key_that_changes_in_the_middle_of_a_search_makes_no_miss(desk: Desk) -> None:
    desk.client.while_it_lists = lambda: setattr(desk.client, "whose", "+213700000000")
    assert isinstance(await desk.looks_up(), OtherAccount)


async def test_an_absurd_offer_does_not_keep_the_status_from_its_order(desk: Desk) -> None:
    deep: dict[str, object] = {}
    for _ in range(300):
        deep = {"in": deep}
    desk.client.by_id = record(status="REFUNDED", suggested_offers=[deep, {"plan_code": "FACTURE_DJEZZY"}])
    found = await desk.checks()
    assert found.record.status == "REFUNDED"
    assert [offer.plan_code for offer in found.record.suggested_offers] == ["FACTURE_DJEZZY"]
