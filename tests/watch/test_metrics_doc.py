"""docs/operations.md has a row for every metric of ours, with its labels, and for none that isn't there."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from oneclickdz import Exchange
from tests.watch.conftest import Scrape
from tests.watch.test_metrics import CENSUS
from watch.metrics import Metrics

ROOT = Path(__file__).parents[2]
DOC = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `(topups_\w+)` \|([^|]*)\| [^|]+ \|$", re.MULTILINE)
LABELS = {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in ROW.findall(DOC)}
MADE = re.compile(r'create_(\w+)\(\s*"(topups_\w+)"')
SUFFIXES = {"counter": "_total", "histogram_timedelta": "_seconds", "gauge": "", "gauge_float": ""}
# Counted within workflows, where the SDK adds labels of its own.
OF_WORKFLOWS, OF_THE_SDK = "topups_phase_entries_total", {"namespace", "task_queue", "workflow_type"}


def made() -> set[str]:
    """The names of all metrics that the code makes, as scraped."""
    rooms = ("watch", "workflows", "activities", "topups", "oneclickdz")
    code = [path.read_text(encoding="utf-8") for room in rooms for path in (ROOT / room).glob("*.py")]
    return {name + SUFFIXES[kind] for text in code for kind, name in MADE.findall(text)}


def test_every_metric_of_ours_is_in_the_table_and_no_other() -> None:
    assert set(LABELS) == made()
    assert len(LABELS) == len(ROW.findall(DOC))


def test_a_metric_s_labels_are_those_of_the_table(metrics: Metrics, scrape: Callable[[], Scrape]) -> None:
    metrics.saw("send", "held", "balance")
    metrics.saw("check", "found", "")
    metrics.exchanged(Exchange("send", "2xx", "OK", 0.7))
    metrics.waited("send", 0.1, in_vain=True)
    metrics.orders(CENSUS, at=1.0)
    seen: dict[str, set[str]] = {}
    for series in scrape():
        name, _, labels = series.partition("{")
        plain = re.sub(r"(_seconds)_(bucket|sum|count)$", r"\1", name)
        if plain.startswith("topups_"):
            seen.setdefault(plain, set()).update(set(re.findall(r'(\w+)="', labels)) - {"le"})
    assert seen == {name: labels for name, labels in LABELS.items() if name != OF_WORKFLOWS}


def test_orders_are_counted_by_phase_where_they_change_it() -> None:
    text = (ROOT / "workflows" / "topup.py").read_text(encoding="utf-8")
    assert set(re.findall(r'_entered\.add\(1, \{"(\w+)"', text)) | OF_THE_SDK == LABELS[OF_WORKFLOWS]


@pytest.mark.parametrize("variable", ["TOPUPS_HEALTH_ADDRESS", "TOPUPS_METRICS_ADDRESS", "OTEL_EXPORTER_OTLP_ENDPOINT"])
def test_the_settings_of_the_watch_are_in_the_readme(variable: str) -> None:
    assert f"`{variable}`" in (ROOT / "README.md").read_text(encoding="utf-8")
