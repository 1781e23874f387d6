"""What it costs a worker to read a long order from its history: after a restart every order under way is read so.

An order that was checked 60 times, recorded before anything is timed. One process replays it in turns with ours and
with a workflow that decides nothing (`undecided`); a time is what Temporal's own Replayer takes, its start included.
"""

import time
from collections import Counter
from dataclasses import dataclass
from statistics import median

from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from benchmarks.ground import quantile
from benchmarks.measure import Line, Measure, Size
from benchmarks.recording import record_ours
from benchmarks.undecided import Undecided
from starter.connection import quiet_runtime
from topups import TopUpsPlugin
from workflows import TopUp
from workflows.runner import UpToTheLastTask

CHECKS = 60
AT_MOST, AT_MOST_MS = 1.3, 250.0
REPEATS: dict[Size, int] = {"quick": 3, "full": 60, "docs": 150}


@dataclass(frozen=True)
class Took:
    """One replay: by the clock, and CPU time of all threads, which other programs disturb less; s."""

    seconds: float
    cpu: float


async def measure(size: Size) -> Measure:
    """Record it, replay it in turns, compare the medians."""
    history = await record_ours(CHECKS)
    replayers = {"ours": replayer(TopUp), "control": replayer(Undecided)}
    took: dict[str, list[Took]] = {name: [] for name in replayers}
    for _ in range(REPEATS[size] + 1):
        for name, each in replayers.items():
            took[name].append(await timed(each, history))
    # The first of each pays for what the process loads once.
    return _answer(took["ours"][1:], took["control"][1:], history)


def _answer(ours: list[Took], control: list[Took], history: WorkflowHistory) -> Measure:
    ours_ms, control_ms = (median(one.seconds for one in took) * 1e3 for took in (ours, control))
    ours_cpu, control_cpu = (median(one.cpu for one in took) * 1e3 for took in (ours, control))
    return Measure(
        name="replay",
        question=f"How long does it take to replay an order with {CHECKS} checks?",
        control="the same history on a workflow that decides nothing, in turns",
        lines=(
            Line("replay", ours_ms, control_ms, "ms", f"<= {AT_MOST} x", ours_ms <= AT_MOST * control_ms),
            Line("replay, in itself", ours_ms, None, "ms", f"< {AT_MOST_MS:g} ms", ours_ms < AT_MOST_MS),
            Line("CPU of a replay", ours_cpu, control_cpu, "ms"),
            Line("events", len(history.events)),
            Line("history", size_of(history) / 1e3, None, "kB"),
        ),
        facts={
            "p10_p90_ms": {"ours": _spread(ours), "control": _spread(control)},
            "events": events_of(history),
        },
    )


def _spread(took: list[Took]) -> list[float]:
    return [round(quantile([one.seconds for one in took], share) * 1e3, 1) for share in (0.1, 0.9)]


def replayer(workflow: type[TopUp] | type[Undecided]) -> Replayer:
    """Replays as the worker does: same plugin, same runner."""
    return Replayer(
        workflows=[workflow], plugins=[TopUpsPlugin()], workflow_runner=UpToTheLastTask(), runtime=quiet_runtime()
    )


async def timed(replayer: Replayer, history: WorkflowHistory) -> Took:
    """Replay once."""
    began_at, cpu_before = time.perf_counter(), time.process_time()
    await replayer.replay_workflow(history)
    return Took(time.perf_counter() - began_at, time.process_time() - cpu_before)


def events_of(history: WorkflowHistory) -> dict[str, int]:
    """Count the events of a history by type."""
    names = (EventType.Name(event.event_type).removeprefix("EVENT_TYPE_") for event in history.events)
    return dict(Counter(names).most_common())


def size_of(history: WorkflowHistory) -> int:
    """Bytes of a history as Temporal stores it."""
    return sum(event.ByteSize() for event in history.events)
