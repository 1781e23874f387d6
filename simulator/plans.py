"""The catalogue: the plan codes that the documentation and public code name, with sensible values."""

import json
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from simulator.money import number

PREFIX_OF_OPERATOR = {"Mobilis": "06", "GMobilis": "06", "Djezzy": "07", "Ooredoo": "05"}


class Plan(BaseModel):
    """One plan. Dynamic plans have ``min_amount`` and ``max_amount`` in DZD, fixed plans ``amount``.

    ``cost`` multiplies the face value; it may be absent (both documented GROS_MOBILIS examples omit it)
    and then the face value is paid. Source: /en/api-reference/mobile/list-plans.
    """

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    code: str
    name: str
    operator: str
    cost: Decimal | None = None
    is_enabled: bool = Field(default=True, alias="isEnabled")
    min_amount: int | None = None
    max_amount: int | None = None
    amount: int | None = None

    @property
    def is_fixed(self) -> bool:
        return self.amount is not None

    @property
    def is_menu(self) -> bool:
        """A GETMENU plan sells nothing: its refund carries the offers for the line."""
        return self.code.startswith("GETMENU_")

    def price(self, amount: int) -> Decimal:
        """What ``amount`` DZD of face value costs the account, to the centime."""
        rate = Decimal(1) if self.cost is None else self.cost
        return (amount * rate).quantize(Decimal("0.01"), ROUND_HALF_UP)

    def wire(self) -> dict[str, Any]:
        """The plan as ``/mobile/plans`` shows it."""
        shown = self.model_dump(by_alias=True, exclude_none=True)
        return shown | ({"cost": number(self.cost)} if self.cost is not None else {})


def _dynamic(code: str, name: str, operator: str, cost: str | None, limits: tuple[int, int]) -> Plan:
    rate = Decimal(cost) if cost else None
    return Plan(code=code, name=name, operator=operator, cost=rate, min_amount=limits[0], max_amount=limits[1])


def _fixed(code: str, name: str, operator: str, cost: str, amount: int) -> Plan:
    return Plan(code=code, name=name, operator=operator, cost=Decimal(cost), amount=amount)


DEFAULT_PLANS = (
    _dynamic("PREPAID_DJEZZY", "📱 PREPAID | جازي", "Djezzy", "0.98", (100, 10_000)),
    _dynamic("PREPAID_MOBILIS", "📱 PREPAID | موبيليس", "Mobilis", "0.96", (40, 3_999)),
    _dynamic("PREPAID_OOREDOO", "📱 PREPAID | أوريدو", "Ooredoo", "0.995", (100, 50_000)),
    _dynamic("GROS_MOBILIS", "🏪 GROS | موبيليس جملة", "GMobilis", None, (5_000, 300_000)),
    _dynamic("FACTURE_DJEZZY", "🧾 FACTURE | فاتورة جازي", "Djezzy", "0.99", (100, 10_000)),
    _dynamic("GETMENU_Mobilis", "📋 MENU | عروض موبيليس", "Mobilis", "1", (50, 5_000)),
    _dynamic("GETMENU_Ooredoo", "📋 MENU | عروض أوريدو", "Ooredoo", "1", (50, 5_000)),
    _dynamic("GETMENU_Djezzy", "📋 MENU | عروض جازي", "Djezzy", "1", (50, 5_000)),
    _fixed("PIXX_500", "🎁 PIXX 500", "Pixx", "0.97", 500),
    _fixed("MIX500_MOBILIS", "🎁 MIX 500 | موبيليس", "Mobilis", "0.97", 500),
    _fixed("MIX1000_OOREDOO", "🎁 MIX 1000 | أوريدو", "Ooredoo", "0.9925", 1_000),
    _dynamic("DISABLED_DJEZZY", "⛔ DISABLED | جازي", "Djezzy", "0.98", (100, 10_000)).model_copy(
        update={"is_enabled": False}
    ),
)


class Catalogue:
    """The plans on sale, by code."""

    def __init__(self, plans: tuple[Plan, ...] = DEFAULT_PLANS) -> None:
        self._plans = {plan.code: plan.model_copy() for plan in plans}

    @classmethod
    def from_file(cls, path: Path) -> "Catalogue":
        """Read a file that holds ``{dynamicPlans: [...], fixedPlans: [...]}`` as the provider answers it."""
        data = json.loads(path.read_text(encoding="utf-8"))
        listed = [*data.get("dynamicPlans", []), *data.get("fixedPlans", [])]
        return cls(tuple(Plan.model_validate(row) for row in listed))

    def get(self, code: str) -> Plan | None:
        return self._plans.get(code)

    def change(self, patch: dict[str, Any]) -> Plan:
        """Change the plan ``patch["code"]``, or add it. Raises pydantic's ValidationError."""
        known = self._plans.get(str(patch.get("code")))
        plan = Plan.model_validate((known.model_dump(by_alias=True) if known else {}) | patch)
        self._plans[plan.code] = plan
        return plan

    def wire(self) -> dict[str, Any]:
        """The ``data`` of ``/mobile/plans``."""
        plans = self._plans.values()
        return {
            "dynamicPlans": [plan.wire() for plan in plans if not plan.is_fixed],
            "fixedPlans": [plan.wire() for plan in plans if plan.is_fixed],
        }
