"""The ledger as evidence and as the database."""

from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from simulator import Settings, create_app
from simulator.journal import Journal, JournalCorrupt, JournalInUse
from tests.simulator.stand import DJEZZY, PREFIX, Stand, code

FIELDS = ["endpoint", "key", "ref", "topup_id", "phone", "plan_code", "amount", "status", "http", "code"]
CONTRACT = ["seq", "at", "kind", *FIELDS]


async def test_every_row_has_the_fields_of_the_contract_in_their_order(stand: Stand) -> None:
    await stand.send("r", MSSIDN="0600000001")
    stand.clock.pass_seconds(15)
    await stand.get("/v3/mobile/check-ref/r")
    rows = stand.rows()
    assert [row["kind"] for row in rows] == ["request", "commit", "answer", "refund", "request", "answer"]
    assert [row["seq"] for row in rows] == list(range(1, 7))
    for row in rows:
        assert list(row)[: len(CONTRACT)] == CONTRACT
        assert datetime.fromisoformat(row["at"]).utcoffset() is not None


async def test_a_send_leaves_its_request_its_commit_and_its_answer(stand: Stand) -> None:
    topup_id = (await stand.send("r")).json()["data"]["topupId"]
    request, commit, answer = stand.rows()
    same = {"endpoint": "send", "key": "sandbox-key", "ref": "r", "phone": DJEZZY, "amount": 500}
    for row in (request, commit, answer):
        assert {name: row[name] for name in same} == same
    assert (request["topup_id"], request["status"], request["http"]) == (None, None, None)
    assert (commit["topup_id"], commit["status"], commit["debited"]) == (topup_id, "PENDING", 490)
    assert (answer["topup_id"], answer["http"], answer["request_seq"]) == (topup_id, 200, request["seq"])


async def test_a_refusal_is_noted_with_its_http_and_its_code(stand: Stand) -> None:
    await stand.get("/v3/validate", None)
    await stand.send("r", amount=1)
    assert [(row["http"], row["code"]) for row in stand.rows("answer")] == [
        (401, "MISSING_ACCESS_TOKEN"),
        (400, "ERR_VALIDATION"),
    ]
    assert [row["endpoint"] for row in stand.rows("request")] == ["validate", "send"]


@pytest.mark.parametrize("form", ["r", f"{PREFIX.replace('+', '%2B')}r"])
async def test_look_ups_are_noted_under_the_bare_ref(stand: Stand, form: str) -> None:
    topup_id = (await stand.send("r")).json()["data"]["topupId"]
    await stand.get(f"/v3/mobile/check-ref/{form}")
    await stand.get(f"/v3/mobile/check-id/{topup_id}")
    assert [row["ref"] for row in stand.rows("request")] == ["r"] * 3
    assert [row["status"] for row in stand.rows("answer")[1:]] == ["PENDING"] * 2


async def test_the_times_never_run_backwards(stand: Stand) -> None:
    for number in range(5):
        await stand.send(f"r{number}")
        stand.clock.pass_seconds(0.25)
    assert all(earlier["at"] <= later["at"] for earlier, later in pairwise(stand.rows()))


async def everything(stand: Stand) -> list[Any]:
    """What a client and the desk can see of the whole state."""
    seen: list[Any] = [(await stand.admin("GET", path)).json() for path in ("orders", "balance")]
    for key in ("sandbox-key", "production-key"):
        seen += [
            (await stand.get(path, key)).json()["data"] for path in ("/v3/mobile/list", "/v3/account/transactions")
        ]
    return seen


async def test_a_restart_on_the_same_ledger_restores_everything(stand: Stand) -> None:
    await stand.send("refunded", MSSIDN="0600000001")
    await stand.send("delivered", key="production-key", plan_code="PREPAID_OOREDOO", amount=101, MSSIDN="0551234567")
    await stand.send("doubt", MSSIDN="0600000003")
    await stand.send("told", MSSIDN="0600000006")
    stand.clock.pass_seconds(20)
    await stand.admin("POST", "balance", {"amount": 1234.56, "environment": "SANDBOX"})
    await stand.admin("POST", "orders/doubt/status", {"status": "NEW_WORD"})
    await stand.admin("POST", "orders/told/status", {"status": "REFUNDED", "refund_message": "عذرا"})
    await stand.send("last")
    before = await everything(stand)
    stand.settings = Settings(balance=5)
    stand.restart()
    assert await everything(stand) == [*before[:1], _with_untouched(before[1], 5), *before[2:]]
    assert code(await stand.send("doubt")) == "DUPLICATED_REF"
    seqs = [row["seq"] for row in stand.rows()]
    assert seqs == list(range(1, len(seqs) + 1))


def _with_untouched(balances: Any, amount: int) -> Any:
    """The one wallet that neither the ledger nor the desk touched starts with the new balance."""
    *touched, untouched = balances["balances"]
    return {"balances": [*touched, untouched | {"balance": amount}]}


async def test_an_order_that_came_due_while_nobody_was_there_is_delivered_at_the_start(stand: Stand) -> None:
    await stand.send("r")
    stand.clock.pass_seconds(60)
    stand.restart()
    assert await stand.status("r") == "FULFILLED"
    assert len(stand.rows("delivery")) == 1


async def test_a_delivery_is_not_made_twice_by_a_restart(stand: Stand) -> None:
    await stand.send("r")
    stand.clock.pass_seconds(60)
    await stand.status("r")
    stand.restart()
    assert await stand.status("r") == "FULFILLED"
    assert len(stand.rows("delivery")) == 1


@pytest.mark.parametrize("torn", ['{"seq":4,"at":"20', '{"seq":4,\n', "\x00\x00"])
async def test_a_torn_last_line_is_cut_off(stand: Stand, torn: str) -> None:
    await stand.send("r")
    stand.close()
    with stand.ledger.open("a", encoding="utf-8") as file:
        file.write(torn)
    stand.restart()
    assert await stand.status("r") == "PENDING"
    assert [row["seq"] for row in stand.rows()] == [1, 2, 3, 4, 5]


def test_a_broken_line_in_the_middle_is_not_passed_over(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.jsonl"
    ledger.write_text('{"seq":1}\nrubbish\n{"seq":3}\n', encoding="utf-8")
    journal = Journal(ledger)
    with pytest.raises(JournalCorrupt, match="line 2"):
        journal.read()
    journal.close()
    journal.close()


def test_one_ledger_has_one_writer(stand: Stand) -> None:
    with pytest.raises(JournalInUse):
        create_app(stand.ledger)
