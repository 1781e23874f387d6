"""What becomes of an order: the sandbox's documented numbers, and numbers of our own for what it lacks."""

from dataclasses import dataclass
from typing import Any

from simulator.plans import Plan

FINAL = frozenset({"FULFILLED", "REFUNDED"})
TWELVE_HOURS_SECONDS = 12 * 3600.0
NEW_WORD = "AWAITING_OPERATOR"

Offer = dict[str, Any]
Steps = tuple[tuple[float, str], ...]

WRONG_NUMBER = "رقم الهاتف غير صحيح، يرجى التأكد من الرقم وإعادة المحاولة. تم استرجاع المبلغ إلى رصيدك."
WRONG_PLAN = "هذا الخط لا يقبل هذا النوع من التعبئة، يرجى اختيار أحد العروض المقترحة. تم استرجاع المبلغ."
MENU = "يرجى اختيار أحد العروض المتاحة لهذا الرقم."
UNKNOWN = (
    "هذه العملية حالتها غير معروفة، يرجى التأكد مع عميلك، ولن نتحمل أي مسؤولية عن أي خسائر. "
    "إذا فشلت العملية بالفعل، فلا تقلق، سيتم استرداد أموالك خلال 24 ساعة"
)
DEFAULT_MESSAGES = {"REFUNDED": WRONG_NUMBER, "UNKNOWN_ERROR": UNKNOWN}

# Five and fifteen seconds: /en/api-reference/mobile/check-by-id, "Sandbox Testing".
_START: Steps = ((0, "PENDING"), (5, "HANDLING"))
_DELIVERED: Steps = (*_START, (15, "FULFILLED"))
_REFUNDED: Steps = (*_START, (15, "REFUNDED"))
_IN_DOUBT: Steps = (*_START, (15, "UNKNOWN_ERROR"))

_STEPS_OF_NUMBER: dict[str, Steps] = {
    "0600000001": _REFUNDED,
    "0600000002": _REFUNDED,
    "0600000003": _IN_DOUBT,
    "0600000004": (*_IN_DOUBT, (TWELVE_HOURS_SECONDS, "FULFILLED")),
    "0600000005": (*_IN_DOUBT, (TWELVE_HOURS_SECONDS, "REFUNDED")),
    "0600000006": _START,
    "0600000007": (*_START, (10, NEW_WORD)),
    "0600000008": (*_START, (8, "PENDING"), (12, "HANDLING"), (15, "FULFILLED")),
}
NEVER_ENOUGH_BALANCE = "0600000009"

_OFFERS_OF_MENU: dict[str, tuple[Offer, ...]] = {
    "Mobilis": (
        {"typename": "MIX 500", "plan_code": "MIX500_MOBILIS", "amount": 500},
        {"typename": "PREPAID", "plan_code": "PREPAID_MOBILIS", "amount": 1000},
        {"typename": "GROS", "plan_code": "GROS_MOBILIS", "amount": 5000},
    ),
    "Ooredoo": (
        {"typename": "MIX 1000", "plan_code": "MIX1000_OOREDOO", "amount": 1000},
        {"typename": "PREPAID", "plan_code": "PREPAID_OOREDOO", "amount": 500},
    ),
    "Djezzy": (
        {"typename": "PREPAID", "plan_code": "PREPAID_DJEZZY", "amount": 500},
        {"typename": "FACTURE", "plan_code": "FACTURE_DJEZZY", "amount": 500},
    ),
}


@dataclass(frozen=True, slots=True)
class Scenario:
    """Statuses by seconds since the commit (before ``speed``), and what a refund says."""

    steps: Steps
    refund_message: str = WRONG_NUMBER
    offers: tuple[Offer, ...] = ()

    def status(self, elapsed_seconds: float) -> str:
        """The status that many of the provider's own seconds after the commit."""
        return next(word for after, word in reversed(self.steps) if elapsed_seconds >= after or after == 0)

    @property
    def end(self) -> tuple[float, str] | None:
        """When and how the order ends by itself; None if somebody must drive it."""
        return self.steps[-1] if self.steps[-1][1] in FINAL else None


def is_test_number(phone: str) -> bool:
    """0600000001 to 0600000099: exempt from the operator's prefix."""
    return phone.startswith("06000000") and phone != "0600000000"


def scenario_of(phone: str, plan: Plan | None, amount: int) -> Scenario:
    """What becomes of this order. A test number counts before a GETMENU plan."""
    steps = _STEPS_OF_NUMBER.get(phone)
    if phone == "0600000002":
        offer = {"typename": "FACTURE", "plan_code": "FACTURE_DJEZZY", "amount": amount or 500}
        return Scenario(_REFUNDED, WRONG_PLAN, (offer,))
    if steps is not None:
        return Scenario(steps)
    if plan is not None and plan.is_menu:
        return Scenario(_REFUNDED, MENU, _OFFERS_OF_MENU.get(plan.operator, _OFFERS_OF_MENU["Djezzy"]))
    return Scenario(_DELIVERED)
