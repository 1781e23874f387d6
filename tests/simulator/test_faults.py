"""Requests that go wrong on order."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.simulator.stand import Stand, code


async def test_an_error_before_the_commit_creates_nothing(stand: Stand) -> None:
    await stand.fault("send", "received", {"error": {"http": 503, "code": "SERVICE_UNAVAILABLE"}})
    answer = await stand.send("r")
    assert (answer.status_code, code(answer)) == (503, "SERVICE_UNAVAILABLE")
    assert (await stand.send("r")).status_code == 200
    assert [row["http"] for row in stand.rows("answer")] == [503, 200]


async def test_an_error_after_the_commit_hides_an_order_that_exists(stand: Stand) -> None:
    await stand.fault("send", "committed", "error", http=500)
    assert code(await stand.send("r")) == "INTERNAL_ERROR"
    assert await stand.status("r") == "PENDING"
    assert code(await stand.send("r")) == "DUPLICATED_REF"


async def test_a_fault_after_the_commit_waits_for_a_send_that_commits(stand: Stand) -> None:
    await stand.fault("send", "committed", "500")
    assert code(await stand.send("r", amount=1)) == "ERR_VALIDATION"
    assert (await stand.send("r")).status_code == 500


@pytest.mark.parametrize(
    ("action", "http", "expected"),
    [
        (503, 503, "SERVICE_UNAVAILABLE"),
        ("429", 429, "RATE_LIMIT_EXCEEDED"),
        ("IP_BLOCKED", 403, "IP_BLOCKED"),
        ("DUPLICATED-REF", 403, "DUPLICATED-REF"),
        ("AUTH_UNAVAILABLE", 503, "AUTH_UNAVAILABLE"),
        ({"error": {"code": "NEVER_HEARD_OF", "http": 409}}, 409, "NEVER_HEARD_OF"),
        ({"error": 401}, 401, "INVALID_ACCESS_TOKEN"),
    ],
)
async def test_an_error_can_be_named_by_its_http_or_by_its_code(
    stand: Stand, action: Any, http: int, expected: str
) -> None:
    await stand.fault("/v3/mobile/plans", "received", action)
    answer = await stand.get("/v3/mobile/plans")
    assert (answer.status_code, code(answer)) == (http, expected)


async def test_an_error_takes_message_details_and_headers(stand: Stand) -> None:
    extra = {"message": "wait", "details": {"attemptsLeft": 3}, "headers": {"Retry-After": "7"}}
    await stand.fault("plans", "received", "error", http=429, **extra)
    answer = await stand.get("/v3/mobile/plans")
    assert answer.headers["Retry-After"] == "7"
    assert answer.json()["error"] == {
        "code": "RATE_LIMIT_EXCEEDED",
        "message": "wait",
        "details": {"attemptsLeft": 3},
    }


@pytest.mark.parametrize("more", [{"http": 502}, {"http": 504}, {"http": 503, "envelope": False}])
async def test_a_gateway_s_error_has_no_envelope(stand: Stand, more: dict[str, Any]) -> None:
    await stand.fault("plans", "received", "error", **more)
    assert set((await stand.get("/v3/mobile/plans")).json()) == {"message", "error", "statusCode"}


async def test_a_broken_body_is_a_piece_of_the_true_answer(stand: Stand) -> None:
    await stand.fault("send", "committed", "broken_json")
    answer = await stand.send("r")
    assert answer.status_code == 200
    assert answer.text.startswith('{"success":true,"data":{"topupId"')
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        answer.json()


async def test_an_answer_can_be_empty_or_lead_elsewhere(stand: Stand) -> None:
    await stand.fault("send", "committed", "empty")
    await stand.fault("send", "received", {"redirect": "/v3/other"}, ref="s")
    empty, elsewhere = await stand.send("r"), await stand.send("s")
    assert (empty.status_code, empty.content) == (200, b"")
    assert (elsewhere.status_code, elsewhere.headers["Location"]) == (302, "/v3/other")
    assert [row["ref"] for row in stand.rows("commit")] == ["r"]


@pytest.mark.parametrize("action", ["reset", "disconnect", {"timeout": 0.01}])
@pytest.mark.parametrize(("moment", "commits"), [("received", 0), ("committed", 1), ("answered", 1)])
async def test_a_cut_connection_leaves_no_answer_row(stand: Stand, action: Any, moment: str, commits: int) -> None:
    await stand.fault("send", moment, action)
    with pytest.raises(ConnectionResetError):
        await stand.send("r")
    assert len(stand.rows("commit")) == commits
    assert stand.rows("answer") == []
    assert len(stand.rows("request")) == 1


async def test_a_fault_meets_its_number_of_calls_its_ref_and_its_key(stand: Stand) -> None:
    await stand.fault("check-ref", "received", 500, n=2, ref="r", key="sandbox-key")
    asked = [("r", "production-key"), ("s", "sandbox-key"), *[("r", "sandbox-key")] * 3]
    answers = [await stand.get(f"/v3/mobile/check-ref/{ref}", key) for ref, key in asked]
    assert [answer.status_code for answer in answers] == [404, 404, 500, 500, 404]


async def test_a_fault_can_skip_calls_and_then_last_until_it_is_deleted(stand: Stand) -> None:
    await stand.fault("*", "received", 503, n=-1, skip=1)
    assert [(await stand.get("/v3/validate")).status_code for _ in range(4)] == [200, 503, 503, 503]
    (fault,) = (await stand.admin("GET", "faults")).json()["faults"]
    assert (fault["hits"], fault["remaining"]) == (4, -1)
    assert (await stand.admin("DELETE", f"faults/{fault['id']}")).json() == {"deleted": 1}
    assert (await stand.get("/v3/validate")).status_code == 200


async def test_deleting_all_faults_says_how_many_there_were(stand: Stand) -> None:
    await stand.fault("send", "received", "reset")
    await stand.fault("list", "received", "reset")
    assert (await stand.admin("DELETE", "faults")).json() == {"deleted": 2}
    assert (await stand.admin("GET", "faults")).json() == {"faults": [], "holds": {}}


async def held(stand: Stand, moment: str) -> asyncio.Task[httpx.Response]:
    """A send that stands at the hold ``gate``."""
    await stand.fault("send", moment, {"hold": "gate"})
    sending = asyncio.create_task(stand.send("r"))
    reached = await stand.admin("GET", "holds/gate?timeout=10")
    assert reached.json() == {"hold": "gate", "held": True, "waiting": 1, "reached": 1}
    return sending


@pytest.mark.parametrize(("moment", "found"), [("received", 404), ("committed", 200), ("answered", 200)])
async def test_a_held_request_stands_at_its_moment_and_then_goes_on(stand: Stand, moment: str, found: int) -> None:
    sending = await held(stand, moment)
    assert not sending.done()
    assert (await stand.get("/v3/mobile/check-ref/r")).status_code == found
    assert (await stand.admin("POST", "release/gate")).json() == {"released": 1}
    assert (await sending).json()["success"] is True
    assert stand.rows("answer")[-1]["endpoint"] == "send"


async def test_the_stop_of_the_provider_cuts_what_is_held(stand: Stand) -> None:
    sending = await held(stand, "committed")
    stand.app.state.simulator.stop()
    with pytest.raises(ConnectionResetError):
        await sending


async def test_waiting_for_a_hold_that_nobody_reaches_ends_in_time(stand: Stand) -> None:
    answer = await stand.admin("GET", "holds/gate?timeout=0.01")
    assert (answer.status_code, answer.json()["held"]) == (408, False)


async def test_a_delay_only_delays(stand: Stand) -> None:
    await stand.fault("send", "committed", {"delay": 0.01})
    assert (await stand.send("r")).status_code == 200


@pytest.mark.parametrize(
    "wrong",
    [
        {"endpoint": "sned", "action": "reset"},
        {"endpoint": "send", "action": "explode"},
        {"endpoint": "send", "action": "hold"},
        {"endpoint": "send", "action": "reset", "moment": "later"},
        {"endpoint": "send", "action": "reset", "times": 3},
        {"endpoint": "send"},
        [],
        "send",
    ],
)
async def test_a_fault_that_makes_no_sense_is_refused_at_the_desk(stand: Stand, wrong: Any) -> None:
    answer = await stand.admin("POST", "faults", wrong)
    assert answer.status_code == 400
    assert answer.json()["error"]
