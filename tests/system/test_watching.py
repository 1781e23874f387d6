"""A real worker's scrape: the metrics that alerts and dashboard are written against are there, and faults move them."""

import asyncio
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from simulator.gate import FIRST_USERNAME
from starter.demo.stage import KEY, Stage
from starter.processes import free_port
from tests.system.scene import NOBODY_ANSWERS, Scene, Scenes
from tests.system.test_keys_and_stops import write_key
from topups import Phase

pytestmark = pytest.mark.asyncio(loop_scope="session")

OBSERVE = Path(__file__).parents[2] / "observe"
RULES = yaml.safe_load((OBSERVE / "alerts.yml").read_text(encoding="utf-8"))["groups"][0]["rules"]
DASHBOARD = json.loads((OBSERVE / "grafana/dashboards/topups.json").read_text(encoding="utf-8"))
EXPRESSIONS = [
    *(rule["expr"] for rule in RULES),
    *(target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]),
]
METRIC = re.compile(r"\b(?:topups|temporal)_[a-z_]+")
SELECTOR = re.compile(r"\b((?:topups|temporal)_[a-z_]+)\{([^}]*)\}")
BY = re.compile(r"by \(([a-z_, ]+)\) \((?:rate\()?((?:topups|temporal)_[a-z_]+)")
# The worker counts orders every 30 s.
PATIENCE_SECONDS = 60.0
LOOK_SECONDS = 0.5
LITTLE_MONEY = 50  # DZD; an order here costs more
PHONE = "0779876543"
STRANGE_WORD = "0600000007"  # the stand-in's number for a status that nobody knows
ACCOUNT = FIRST_USERNAME.removeprefix("+")
NAME = re.compile(r"[a-z_]+(?=[!=])")


@dataclass(frozen=True)
class Watched:
    """The worker's metrics and readiness as time went on, and all that it wrote."""

    at_work: str
    money_gone: str
    confirming: str
    key_refused: str
    at_ease: tuple[int, dict[str, Any]]
    refused: tuple[int, dict[str, Any]]
    output: str


class Ports:
    """A worker's two addresses."""

    def __init__(self) -> None:
        self.health, self.metrics = free_port(), free_port()
        self.env = {
            "TOPUPS_HEALTH_ADDRESS": f"127.0.0.1:{self.health}",
            "TOPUPS_METRICS_ADDRESS": f"127.0.0.1:{self.metrics}",
        }

    async def ready(self) -> tuple[int, dict[str, Any]]:
        answer = await _got(f"http://127.0.0.1:{self.health}/readyz")
        return answer.status_code, answer.json()

    async def scrape(self, until: Callable[[str], bool]) -> str:
        """The first scrape that shows it."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                text = (await _got(f"http://127.0.0.1:{self.metrics}/metrics")).text
                if until(text):
                    return text
                await asyncio.sleep(LOOK_SECONDS)


async def _got(url: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as http:
        return await http.get(url)


def value(scrape: str, series: str) -> float:
    """The value of a series."""
    [line] = [line for line in scrape.splitlines() if line.startswith(f"{series} ")]
    return float(line.rpartition(" ")[2])


async def watched(stage: Stage) -> Watched:
    file, ports = stage.folder / "key", Ports()
    write_key(file, KEY)
    scene = await Scene.on(stage, "watched", ONECLICKDZ_ACCESS_TOKEN_FILE=str(file), **ports.env)
    await scene.submit(PHONE)
    await scene.beside("undecided").submit(NOBODY_ANSWERS)
    await scene.beside("strange").submit(STRANGE_WORD)
    await scene.end()
    at_work = await ports.scrape(lambda text: value(text, "topups_balance_dzd") > LITTLE_MONEY)
    at_ease = await ports.ready()
    lost, poor = scene.beside("lost"), scene.beside("poor")
    await stage.desk.arm("send", "committed", "reset", ref=lost.ref)
    await stage.desk.arm("check-ref", "received", "SERVICE_UNAVAILABLE", ref=lost.ref, n=-1)
    await lost.submit(PHONE)
    await lost.phase(Phase.CONFIRMING)
    await stage.desk.fund(LITTLE_MONEY)
    await poor.submit(PHONE)
    money_gone = await ports.scrape(lambda text: value(text, "topups_balance_dzd") == LITTLE_MONEY)
    # The strange word is heard with the order's first check, whenever that has its turn.
    confirming = await ports.scrape(
        lambda text: (
            value(text, 'topups_open_orders{phase="CONFIRMING"}') == 1 and value(text, "topups_needs_review") == 1
        )
    )
    write_key(file, "not-a-key")
    key_refused = await ports.scrape(lambda text: value(text, "topups_credentials_refused") == 1)
    refused = await ports.ready()
    return Watched(at_work, money_gone, confirming, key_refused, at_ease, refused, scene.worker.output)


async def listening_twice(stage: Stage) -> list[tuple[int, str]]:
    """Two workers whose address is somebody else's: the provider's stand-in listens there."""
    taken = stage.provider_url.removeprefix("http://")
    ended = []
    for name in ("TOPUPS_HEALTH_ADDRESS", "TOPUPS_METRICS_ADDRESS"):
        worker = stage.worker(name.lower(), {"TOPUPS_TASK_QUEUE": name, name: taken})
        worker.start()
        ended.append((await worker.ended(30), worker.output))
    return ended


PLAYS = (watched, listening_twice)


async def test_every_metric_of_alerts_and_dashboard_is_one_that_a_worker_shows(scenes: Scenes) -> None:
    scrape = (await scenes(watched)).confirming
    shown = set(METRIC.findall(re.sub(r"\{.*?\}", "", scrape)))
    assert {name for text in EXPRESSIONS for name in METRIC.findall(text)} <= shown


async def test_every_label_of_alerts_and_dashboard_is_one_that_its_metric_has(scenes: Scenes) -> None:
    scrape = (await scenes(watched)).confirming
    used = {
        (name, label)
        for text in EXPRESSIONS
        for name, labels in SELECTOR.findall(text)
        for label in NAME.findall(labels)
    }
    used |= {
        (name, label)
        for text in EXPRESSIONS
        for labels, name in BY.findall(text)
        for label in labels.replace(" ", "").split(",")
    }
    assert len(used) > 15
    for name, label in used:
        assert re.search(rf'^{name}\{{(?:.*,)?{label}="', scrape, re.MULTILINE), (name, label)


async def test_an_order_shows_in_what_was_sent_asked_and_reached(scenes: Scenes) -> None:
    scrape = (await scenes(watched)).at_work
    assert value(scrape, 'topups_sends_total{outcome="accepted",reason=""}') == 3
    sends = 'topups_provider_request_seconds_count{code="OK",endpoint="send",http="2xx"}'
    assert value(scrape, sends) == 3
    reached = [line for line in scrape.splitlines() if line.startswith("topups_phase_entries_total")]
    assert any('phase="FULFILLED"' in line and line.endswith(" 1") for line in reached)


async def test_a_send_that_the_balance_can_not_pay_tells_the_balance_without_a_request(scenes: Scenes) -> None:
    scrape = (await scenes(watched)).money_gone
    assert value(scrape, 'topups_sends_total{outcome="held",reason="balance"}') == 1
    assert value(scrape, 'topups_provider_request_seconds_count{code="OK",endpoint="balance",http="2xx"}') == 1


async def test_an_order_that_nobody_finds_shows_as_confirming_and_one_with_a_strange_word_needs_a_person(
    scenes: Scenes,
) -> None:
    scrape = (await scenes(watched)).confirming
    assert value(scrape, 'topups_sends_total{outcome="in_doubt",reason=""}') == 1
    assert 0 < value(scrape, 'topups_longest_in_phase_seconds{phase="CONFIRMING"}') < 120
    assert value(scrape, 'topups_open_orders{phase="UNKNOWN_ERROR"}') == 1
    assert value(scrape, "topups_needs_review") == 1
    unavailable = 'topups_provider_request_seconds_count{code="SERVICE_UNAVAILABLE",endpoint="check-ref",http="5xx"}'
    assert value(scrape, unavailable) >= 1


async def test_a_refused_key_shows_and_the_worker_stays_ready(scenes: Scenes) -> None:
    seen = await scenes(watched)
    assert value(seen.confirming, "topups_credentials_refused") == 0
    assert value(seen.key_refused, "topups_credentials_refused") == 1
    assert seen.at_ease == (200, {"ready": True, "reasons": [], "key": "accepted"})
    assert seen.refused == (200, {"ready": True, "reasons": [], "key": "INVALID_ACCESS_TOKEN"})


async def test_every_line_is_json_and_each_one_about_an_order_names_it(scenes: Scenes) -> None:
    lines = [json.loads(line) for line in (await scenes(watched)).output.splitlines()]
    told = [line for line in lines if line.get("logger") == "topups.activities"]
    assert {line["ref"] for line in told} == {"watched", "undecided", "strange", "poor", "lost"}
    assert all(line["workflow_id"] == f"topup-{line['ref']}" for line in told)


async def test_no_number_and_no_key_is_in_metrics_or_logs(scenes: Scenes) -> None:
    seen = await scenes(watched)
    for secret in (PHONE, PHONE[1:], NOBODY_ANSWERS, KEY, "not-a-key", ACCOUNT):
        assert secret not in seen.output + seen.key_refused


async def test_an_address_that_is_taken_ends_the_worker_with_code_2_before_it_polls(scenes: Scenes) -> None:
    for (exit_code, output), name in zip(
        await scenes(listening_twice), ("TOPUPS_HEALTH_ADDRESS", "TOPUPS_METRICS_ADDRESS"), strict=True
    ):
        assert exit_code == 2
        assert f"{name}: 127.0.0.1:" in output
        assert "can't be listened on" in output
        assert "Traceback" not in output
        assert "polls" not in output
