"""The orders of the demo: one for every way that an order can go."""

from topups import TopUpRequest

DELIVERED = "demo-delivered"
OTHER_LINE = "demo-other-operator"
WRONG_NUMBER = "demo-wrong-number"
WRONG_PLAN = "demo-wrong-plan"
OFFERS = "demo-offers-please"
NO_SUCH_PLAN = "demo-no-such-plan"
TOO_MUCH = "demo-too-much"
CHANGED_MIND = "demo-changed-mind"
NO_MONEY = "demo-no-money-yet"
LOST_ANSWER = "demo-lost-answer"
NOBODY_KNOWS = "demo-nobody-knows"
KILLED = "demo-killed"

# DZD. Pays for all but the two big ones, which wait for more.
FIRST_BALANCE, LATER_BALANCE = 5_000, 50_000


def _order(ref: str, plan: str, phone: str, amount: int | None = None) -> TopUpRequest:
    return TopUpRequest(ref=ref, plan_code=plan, phone=phone, amount=amount)


AT_ONCE = (
    _order(DELIVERED, "PREPAID_DJEZZY", "0771234567", 500),
    _order(OTHER_LINE, "PREPAID_OOREDOO", "0551234567", 300),
    _order(WRONG_NUMBER, "PREPAID_MOBILIS", "0600000001", 200),
    _order(WRONG_PLAN, "PREPAID_DJEZZY", "0600000002", 500),
    _order(OFFERS, "GETMENU_Mobilis", "0661234567"),
    _order(NO_SUCH_PLAN, "PREPAID_NEDJMA", "0551234568", 100),
    _order(TOO_MUCH, "PREPAID_MOBILIS", "0661234569", 9_999),
    _order(CHANGED_MIND, "PREPAID_DJEZZY", "0771234570", 9_000),
    _order(NO_MONEY, "PREPAID_DJEZZY", "0771234571", 8_000),
    _order(LOST_ANSWER, "PREPAID_DJEZZY", "0771234572", 1_000),
    _order(NOBODY_KNOWS, "PREPAID_MOBILIS", "0600000003", 250),
)
IN_THE_MIDDLE = _order(KILLED, "PREPAID_DJEZZY", "0771234573", 700)
ALL = (*AT_ONCE, IN_THE_MIDDLE)
