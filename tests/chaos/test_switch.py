"""Whether checks share pages is one switch of a campaign, and every worker hears of it."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from starter.processes import Process
from tests.chaos import programs
from tests.chaos.__main__ import app


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What the process that was made last is told by environment."""
    heard: dict[str, str] = {}

    def make(name: str, command: list[str], *, log: Path, env: dict[str, str]) -> Process:
        heard.clear()
        heard.update(env)
        return Process(name, command, log=log, env=env)

    monkeypatch.setattr(programs, "Process", make)
    return heard


@pytest.mark.parametrize(("coalesce", "word"), [(True, "true"), (False, "false")])
def test_every_worker_is_told_whether_checks_share_pages(
    tmp_path: Path, told: dict[str, str], coalesce: bool, word: str
) -> None:
    ours = programs.Programs(tmp_path, "127.0.0.1:7233", "http://127.0.0.1:8033", coalesce=coalesce)
    ours.worker("worker-1", "worker", {})
    assert told["TOPUPS_COALESCE_CHECKS"] == word
    ours.worker("one-by-one", "worker", {"TOPUPS_COALESCE_CHECKS": "false"})
    assert told["TOPUPS_COALESCE_CHECKS"] == "false"


@pytest.mark.parametrize("command", ["short", "one", "long"])
def test_every_campaign_knows_the_switch_and_no_third_position(command: str) -> None:
    refused = CliRunner().invoke(app, [command, "--coalesce", "perhaps"])
    assert refused.exit_code == 2
    assert "coalesce" in refused.output
