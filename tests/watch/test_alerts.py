"""The rules of alert, as Prometheus itself judges them; and a section of the runbook's name for each."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

OBSERVE = Path(__file__).parents[2] / "observe"
NAMES = {
    "TopUpOldestOpenOrder",
    "TopUpConfirmingTooLong",
    "TopUpNeedsReview",
    "TopUpAudit",
    "TopUpCredentialsRefused",
    "TopUpLowBalance",
    "TopUpNoWorker",
}
RULES = yaml.safe_load((OBSERVE / "alerts.yml").read_text(encoding="utf-8"))["groups"][0]["rules"]
BOARD = json.loads((OBSERVE / "grafana/dashboards/topups.json").read_text(encoding="utf-8"))
TESTS = yaml.safe_load((OBSERVE / "alerts.test.yml").read_text(encoding="utf-8"))["tests"]

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="needs promtool (the package `prometheus` of Debian)"
)


def promtool(*words: str) -> str:
    run = subprocess.run(["promtool", *words], cwd=OBSERVE, capture_output=True, text=True, check=False)
    said = run.stdout + run.stderr
    assert run.returncode == 0, said
    return said


@needs_promtool
def test_the_rules_and_the_configuration_are_valid() -> None:
    assert f"{len(NAMES)} rules found" in promtool("check", "rules", "alerts.yml")
    promtool("check", "config", "prometheus.yml")


@needs_promtool
def test_each_alert_fires_on_its_fault_and_on_nothing_else() -> None:
    assert "SUCCESS" in promtool("test", "rules", "alerts.test.yml")


def test_every_alert_has_the_name_and_the_page_that_people_know() -> None:
    assert {rule["alert"] for rule in RULES} == NAMES
    for rule in RULES:
        assert rule["annotations"]["runbook_url"] == f"docs/runbook.md#{rule['alert'].lower()}"
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}


def test_each_alert_has_a_test_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    cases = [case for test in TESTS for case in test["alert_rule_test"]]
    assert {case["alertname"] for case in cases if case.get("exp_alerts")} == NAMES
    assert {case["alertname"] for case in cases if not case.get("exp_alerts")} == NAMES


@needs_promtool
def test_every_question_of_the_dashboard_is_one_that_prometheus_understands(tmp_path: Path) -> None:
    questions = [target["expr"] for panel in BOARD["panels"] for target in panel["targets"]]
    rules = [{"record": f"dashboard:{number}", "expr": question} for number, question in enumerate(questions)]
    file = tmp_path / "dashboard.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}), encoding="utf-8")
    assert f"{len(questions)} rules found" in promtool("check", "rules", str(file))


def test_the_dashboard_is_what_grafana_provisions() -> None:
    [source] = yaml.safe_load((OBSERVE / "grafana/provisioning/datasources/prometheus.yml").read_text())["datasources"]
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])
    for panel in BOARD["panels"]:
        assert panel["datasource"]["uid"] == source["uid"]
        assert all(target["expr"] for target in panel["targets"])
