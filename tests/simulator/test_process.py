"""The command as a real process, on a real socket."""

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.simulator.stand import DJEZZY, read_rows

ORDER = {"plan_code": "PREPAID_DJEZZY", "MSSIDN": DJEZZY, "amount": 500}
HEADERS = {"X-Access-Token": "sandbox-key"}


class Provider:
    """A running ``python -m simulator``."""

    def __init__(self, ledger: Path, *flags: str) -> None:
        command = [sys.executable, "-m", "simulator", "--port", "0", "--ledger", str(ledger), *flags]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.ready = json.loads(self.process.stdout.readline())
        self.http = httpx.Client(base_url=self.ready["url"], headers=HEADERS, timeout=10)

    def send(self, ref: str) -> httpx.Response:
        return self.http.post("/v3/mobile/send", json={**ORDER, "ref": ref})

    def fault(self, moment: str, action: Any) -> None:
        armed = {"endpoint": "send", "moment": moment, "action": action}
        assert self.http.post("/_admin/faults", json=armed).status_code == 201

    def end(self, number: signal.Signals) -> int:
        """Send the signal, wait, and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=10)

    def close(self) -> None:
        """Leave nothing behind."""
        if self.process.poll() is None:
            self.end(signal.SIGKILL)
        self.http.close()
        assert self.process.stdout is not None
        self.process.stdout.close()


Start = Callable[..., Provider]


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path / "ledger.jsonl"


@pytest.fixture
def start(ledger: Path) -> Iterator[Start]:
    running: list[Provider] = []

    def begin(*flags: str) -> Provider:
        running.append(Provider(ledger, *flags))
        return running[-1]

    yield begin
    for provider in running:
        provider.close()


def wait_for(condition: Callable[[], bool]) -> None:
    """Return as soon as the condition holds; fail after 10 s."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def read_to_the_end(raw: socket.socket, received: bytearray) -> None:
    while chunk := raw.recv(4096):
        received += chunk


def kinds(ledger: Path) -> list[str]:
    return [row["kind"] for row in read_rows(ledger)]


def test_a_killed_provider_goes_on_from_its_ledger(start: Start, ledger: Path) -> None:
    first = start("--rate-limit", "0")
    answers: list[str] = []

    def send_until_it_dies() -> None:
        with suppress(httpx.TransportError):
            while True:
                answers.append(first.send(f"r{len(answers)}").json()["data"]["topupId"])

    sending = threading.Thread(target=send_until_it_dies)
    sending.start()
    wait_for(lambda: len(answers) >= 20)
    first.end(signal.SIGKILL)
    sending.join()
    second = start("--rate-limit", "0")
    for number, topup_id in enumerate(answers):
        record = second.http.get(f"/v3/mobile/check-ref/r{number}").json()["data"]
        assert record["_id"] == topup_id
    assert second.send("r0").json()["error"]["code"] == "DUPLICATED_REF"
    commits = kinds(ledger).count("commit")
    assert second.http.get("/v3/account/balance").json()["data"]["balance"] == 1_000_000 - 490 * commits
    assert second.end(signal.SIGTERM) == 0


def test_a_delivery_is_noted_although_nobody_asks(start: Start, ledger: Path) -> None:
    provider = start("--speed", "100")
    provider.send("r")
    wait_for(lambda: "delivery" in kinds(ledger))


@pytest.mark.parametrize(
    ("moment", "error"),
    [("received", httpx.ReadError), ("committed", httpx.ReadError), ("answered", httpx.TransportError)],
)
def test_a_reset_cuts_the_connection_at_its_moment(
    start: Start, ledger: Path, moment: str, error: type[Exception]
) -> None:
    provider = start()
    provider.fault(moment, "reset")
    with pytest.raises(error):
        provider.send("r")
    assert kinds(ledger) == (["request"] if moment == "received" else ["request", "commit"])
    assert provider.http.get("/v3/validate").status_code == 200


def test_a_reset_in_the_middle_of_the_body_comes_after_half_of_it(start: Start) -> None:
    provider = start()
    provider.fault("answered", "reset")
    body = json.dumps({**ORDER, "ref": "r"}).encode()
    head = f"POST /v3/mobile/send HTTP/1.1\r\nHost: x\r\nX-Access-Token: sandbox-key\r\nContent-Length: {len(body)}"
    with socket.create_connection(("127.0.0.1", provider.ready["port"])) as raw:
        raw.sendall(head.encode() + b"\r\n\r\n" + body)
        received = bytearray()
        with pytest.raises(ConnectionResetError):
            read_to_the_end(raw, received)
    assert b'{"success":true' in received
    assert not received.endswith(b"}")


def test_a_disconnect_closes_without_an_answer_and_a_timeout_keeps_the_caller_waiting(
    start: Start, ledger: Path
) -> None:
    provider = start()
    provider.fault("received", "disconnect")
    with pytest.raises(httpx.RemoteProtocolError, match="disconnected without sending"):
        provider.send("r")
    provider.fault("committed", {"timeout": 30})
    with pytest.raises(httpx.ReadTimeout):
        provider.http.post("/v3/mobile/send", json={**ORDER, "ref": "r"}, timeout=0.3)
    wait_for(lambda: "commit" in kinds(ledger))
    assert provider.http.get("/v3/mobile/check-ref/r").status_code == 200


def test_a_client_that_left_gets_no_answer_row(start: Start, ledger: Path) -> None:
    provider = start()
    provider.fault("committed", {"hold": "gate"})
    with pytest.raises(httpx.ReadTimeout):
        provider.http.post("/v3/mobile/send", json={**ORDER, "ref": "r"}, timeout=0.3)
    assert provider.http.get("/_admin/holds/gate?timeout=5").status_code == 200
    provider.http.post("/_admin/release/gate")
    provider.http.get("/v3/validate")
    wait_for(lambda: kinds(ledger)[-1] == "answer")
    assert [row["endpoint"] for row in read_rows(ledger) if row["kind"] == "answer"] == ["validate"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_is_quick_and_clean_although_a_request_is_held(start: Start, number: signal.Signals) -> None:
    provider = start()
    provider.fault("received", {"hold": "gate"})
    with ThreadPoolExecutor() as pool:
        sending = pool.submit(provider.send, "r")
        assert provider.http.get("/_admin/holds/gate?timeout=5").status_code == 200
        begun = time.monotonic()
        assert provider.end(number) == 0
        assert time.monotonic() - begun < 5
        with pytest.raises(httpx.TransportError):
            sending.result()


def run(*flags: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "simulator", *flags]
    return subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)


def test_a_start_that_can_not_work_says_why_and_exits_with_two(start: Start, ledger: Path) -> None:
    port = start().ready["port"]
    for flags, reason in [
        (["--port", str(port)], "in use"),
        (["--port", "0"], "in use by another simulator"),
        (["--port", "0", "--speed", "0"], "speed"),
    ]:
        ended = run("--ledger", str(ledger), *flags)
        assert (ended.returncode, ended.stdout) == (2, "")
        assert reason in ended.stderr


def test_help_names_the_keys_and_the_flags() -> None:
    told = run("--help").stdout
    assert "sandbox-key" in told
    assert "--rate-limit" in told
