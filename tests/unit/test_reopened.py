"""An order whose run was broken off goes on by looking, never by sending."""

from tests.unit.story import ACCOUNT, BEGAN, MISSED, Story, found, new_order
from topups.models import Phase, Reopening


def test_a_reopened_order_looks_up_first_and_never_sends() -> None:
    reopening = Reopening(note="terminated by mistake", by="amel@shop", accepted_at=BEGAN)
    story = Story(new_order(reopening=reopening))
    assert story.order.may_exist
    story.looks_up(*[MISSED] * 30)
    assert "send" not in [action for action, _ in story.begun]
    assert story.order.account == ACCOUNT


def test_a_reopened_order_whose_id_is_known_is_checked_by_it() -> None:
    reopening = Reopening(
        note="terminated", by="amel@shop", accepted_at=BEGAN, topup_id=found().record.topup_id, account=ACCOUNT
    )
    assert Story(new_order(reopening=reopening)).checks(found("FULFILLED")).phase is Phase.FULFILLED
