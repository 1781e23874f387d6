"""The rest of the admin calls, and the catalogue from a file."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from simulator.plans import Catalogue
from tests.simulator.stand import Stand, code


async def test_the_desk_leaves_no_row_and_needs_no_key(stand: Stand) -> None:
    for path in ("orders", "faults", "settings", "plans", "balance"):
        assert (await stand.admin("GET", path)).status_code == 200
    assert stand.rows() == []


async def test_a_plan_can_be_switched_off_changed_and_added(stand: Stand) -> None:
    await stand.admin("POST", "plans", {"code": "PREPAID_DJEZZY", "isEnabled": False})
    assert code(await stand.send("r")) == "ERR_VALIDATION"
    await stand.admin("POST", "plans", {"code": "PREPAID_DJEZZY", "isEnabled": True, "cost": 0.5})
    assert (await stand.send("r")).status_code == 200
    assert (await stand.record("r"))["balance_amount"] == 250
    await stand.admin("POST", "plans", {"code": "NEW", "name": "new", "operator": "Djezzy", "amount": 70})
    assert (await stand.send("s", plan_code="NEW")).status_code == 200
    assert (await stand.record("s"))["topup_amount"] == 70


async def test_the_orders_are_shown_by_environment(stand: Stand) -> None:
    await stand.send("r")
    await stand.send("s", key="production-key")
    shown = (await stand.admin("GET", "orders?environment=production")).json()["orders"]
    assert [(order["ref"], order["status"], order["debited"]) for order in shown] == [("s", "PENDING", 490)]


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        ("settings", {"speed": 0}),
        ("settings", {"sped": 2}),
        ("balance", {"amount": -1}),
        ("balance", {}),
        ("plans", {"code": "NEW"}),
        ("orders/r/status", {"status": ""}),
    ],
)
async def test_what_makes_no_sense_is_refused_with_a_reason_and_changes_nothing(
    stand: Stand, path: str, wrong: dict[str, Any]
) -> None:
    before = (await stand.admin("GET", "settings")).json()
    answer = await stand.admin("POST", path, wrong)
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert (await stand.admin("GET", "settings")).json() == before


def test_a_catalogue_can_be_read_from_what_the_provider_answered(tmp_path: Path) -> None:
    file = tmp_path / "plans.json"
    file.write_text(json.dumps(Catalogue().wire()), encoding="utf-8")
    assert Catalogue.from_file(file).wire() == Catalogue().wire()
    file.write_text('{"fixedPlans": [{"code": "X"}]}', encoding="utf-8")
    with pytest.raises(ValidationError):
        Catalogue.from_file(file)
