"""Settings, logs and the plugin: what a process reads and says."""

import asyncio
import dataclasses
import io
import json
import logging
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError
from temporalio.testing import ActivityEnvironment
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from tests.unit.story import BEGAN, found, held, new_order, pending
from topups import search_attributes
from topups.logs import set_up_logging
from topups.plugin import PASSED_THROUGH, TopUpsPlugin, _with_pass_through
from topups.settings import PROVIDER_BASE_URL, ClientSettings, WorkerSettings


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in WorkerSettings.model_fields.values():
        monkeypatch.delenv(str(field.validation_alias), raising=False)


def test_nothing_set_is_the_sandbox_at_the_documented_address() -> None:
    settings = WorkerSettings()
    assert (settings.environment, settings.base_url) == ("sandbox", PROVIDER_BASE_URL)
    assert (settings.task_queue, settings.deliver_within) == ("topups", 1_800)
    assert settings.access_token is None
    assert settings.state_dir.name == "topups"


def test_every_setting_is_the_variable_of_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONECLICKDZ_ENVIRONMENT", "production")
    monkeypatch.setenv("ONECLICKDZ_ACCESS_TOKEN", "secret-key")
    monkeypatch.setenv("TOPUPS_STATE_DIR", "/var/lib/topups")
    settings = WorkerSettings()
    assert (settings.environment, settings.state_dir) == ("production", Path("/var/lib/topups"))
    assert "secret-key" not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ONECLICKDZ_ENVIRONMENT", "staging"),
        ("ONECLICKDZ_BASE_URL", "api.oneclickdz.com"),
        ("ONECLICKDZ_RATE_LIMIT", "0"),
        ("TOPUPS_DELIVER_WITHIN", "59"),
        ("TOPUPS_DELIVER_WITHIN", "86401"),
        ("TOPUPS_TASK_QUEUE", ""),
        ("TOPUPS_HEALTH_ADDRESS", "9465"),
        ("TOPUPS_HEALTH_ADDRESS", "localhost:9465"),
        ("TOPUPS_METRICS_ADDRESS", "0.0.0.0:port"),
        ("TOPUPS_METRICS_ADDRESS", "0.0.0.0:65536"),
        ("TOPUPS_METRICS_ADDRESS", "0.0.0.0:0"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError, match=name):
        WorkerSettings()


def test_a_worker_is_watched_where_it_is_told_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (WorkerSettings().health_address, WorkerSettings().metrics_address) == (None, None)
    monkeypatch.setenv("TOPUPS_HEALTH_ADDRESS", "[::1]:9465")
    monkeypatch.setenv("TOPUPS_METRICS_ADDRESS", "0.0.0.0:9464")
    settings = WorkerSettings()
    assert (settings.health_address, settings.metrics_address) == ("[::1]:9465", "0.0.0.0:9464")


@pytest.mark.parametrize("name", ["ONECLICKDZ_ACCESS_TOKEN_FILE", "TOPUPS_HEALTH_ADDRESS", "TOPUPS_METRICS_ADDRESS"])
def test_an_empty_variable_is_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "")
    settings = WorkerSettings()
    assert (settings.access_token_file, settings.health_address, settings.metrics_address) == (None, None, None)


def test_a_backend_needs_no_key() -> None:
    assert ClientSettings().environment == "sandbox"


def test_only_what_a_list_shows_is_written_to_visibility() -> None:
    before = new_order()
    assert search_attributes.of_a_change(before, before.but(checks=3), BEGAN) == []
    changed = search_attributes.of_a_change(before, held().order, BEGAN)
    assert [update.key.name for update in changed] == ["TopUpPhase", "TopUpPhaseSince"]
    reviewed = pending().checks(found("SOMETHING_NEW")).order
    marked = search_attributes.of_a_change(pending().order, reviewed, BEGAN)
    assert [(update.key.name, update.value) for update in marked] == [("TopUpNeedsReview", True)]


def test_the_sandbox_passes_pure_modules_through() -> None:
    runner = _with_pass_through(SandboxedWorkflowRunner())
    assert isinstance(runner, SandboxedWorkflowRunner)
    assert set(PASSED_THROUGH) <= runner.restrictions.passthrough_modules
    assert isinstance(_with_pass_through(None), SandboxedWorkflowRunner)
    assert TopUpsPlugin().name() == "topups"


def logging_to(stderr: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", stderr)
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", root.level)
    set_up_logging()


def test_a_log_is_one_json_object_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = io.StringIO()
    logging_to(stderr, monkeypatch)
    logging.getLogger("topups").info("send %s", "order-1042", extra={"ref": "order-1042"})
    line = json.loads(stderr.getvalue())
    assert (line["level"], line["logger"], line["message"]) == ("INFO", "topups", "send order-1042")
    assert line["ref"] == "order-1042"
    assert "at" in line


async def test_what_is_logged_within_an_activity_names_its_order_whoever_wrote_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stderr = io.StringIO()
    logging_to(stderr, monkeypatch)
    environment = ActivityEnvironment()
    environment.info = dataclasses.replace(environment.info, workflow_id="topup-order-1042")

    async def act() -> None:
        await asyncio.to_thread(logging.getLogger("oneclickdz.state").warning, "the file is damaged")

    await environment.run(act)
    line = json.loads(stderr.getvalue())
    assert (line["ref"], line["workflow_id"]) == ("order-1042", "topup-order-1042")


def test_what_temporals_sdk_says_of_an_orders_task_names_the_order(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = io.StringIO()
    logging_to(stderr, monkeypatch)
    of = {"workflow_id": "topup-order-1042", "run_id": "r"}
    logging.getLogger("temporalio.worker").warning("Failed activation", extra={"temporal_workflow": of})
    logging.getLogger("temporalio.worker").warning("Elsewhere", extra={"temporal_workflow": {"workflow_id": "other"}})
    logging.getLogger("temporalio.worker").warning("About nobody")
    first, second, third = map(json.loads, stderr.getvalue().splitlines())
    assert (first["ref"], first["workflow_id"]) == ("order-1042", "topup-order-1042")
    assert (second.get("ref"), second["workflow_id"]) == (None, "other")
    assert "workflow_id" not in third


def test_a_person_at_a_terminal_reads_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = io.StringIO()
    monkeypatch.setattr(stderr, "isatty", lambda: True)
    logging_to(stderr, monkeypatch)
    logging.getLogger("topups").warning("look at this")
    assert stderr.getvalue().endswith("WARNING look at this\n")
    assert not logging.getLogger("httpx").isEnabledFor(logging.INFO)


@pytest.mark.parametrize("text", ["nonsense", "localhost:9465", "127.0.0.1", "0.0.0.0:70000"])
def test_an_address_that_can_not_be_listened_on_is_told_by_how_one_looks(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("TOPUPS_HEALTH_ADDRESS", text)
    with pytest.raises(ValidationError, match=r"must be an IP address and a port, like 0\.0\.0\.0:9464"):
        WorkerSettings()
