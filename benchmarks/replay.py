"""What it costs a worker to read a long order from its history: after a restart every order under way is read so.

An order that was checked 60 times, ours and the smallest workflow's, both recorded before anything is timed. One
process replays them in turns; a time is what Temporal's own Replayer takes, its start and the imports of the sandbox
included.
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
from benchmarks.recording import record_control, record_ours
from benchmarks.smallest import Smallest
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
    """Record both, replay them in turns, compare the medians."""
    ours, control = await record_ours(CHECKS), await record_control(CHECKS)
    replayers = {"ours": (our_replayer(), ours), "control": (control_replayer(), control)}
    took: dict[str, list[Took]] = {name: [] for name in replayers}
    for _ in range(REPEATS[size] + 1):
        for name, (replayer, history) in replayers.items():
            took[name].append(await timed(replayer, history))
    # The first of each pays for what the process loads once.
    return _answer(took["ours"][1:], took["control"][1:], ours, control)


def _answer(
    ours: list[Took], control: list[Took], our_history: WorkflowHistory, its_history: WorkflowHistory
) -> Measure:
    ours_ms, control_ms = (median(one.seconds for one in took) * 1e3 for took in (ours, control))
    ours_cpu, control_cpu = (median(one.cpu for one in took) * 1e3 for took in (ours, control))
    return Measure(
        name="replay",
        question=f"How long does it take to replay an order with {CHECKS} checks?",
        control="the smallest workflow with as many timers and activities, its own recorded history, in turns",
        lines=(
            Line("replay", ours_ms, control_ms, "ms", f"<= {AT_MOST} x", ours_ms <= AT_MOST * control_ms),
            Line("replay, in itself", ours_ms, None, "ms", f"< {AT_MOST_MS:g} ms", ours_ms < AT_MOST_MS),
            Line("CPU of a replay", ours_cpu, control_cpu, "ms"),
            Line("events", len(our_history.events), len(its_history.events)),
            Line("history", size_of(our_history) / 1e3, size_of(its_history) / 1e3, "kB"),
        ),
        facts={
            "p10_p90_ms": {"ours": _spread(ours), "control": _spread(control)},
            "events": {"ours": events_of(our_history), "control": events_of(its_history)},
        },
    )


def _spread(took: list[Took]) -> list[float]:
    return [round(quantile([one.seconds for one in took], share) * 1e3, 1) for share in (0.1, 0.9)]


def our_replayer() -> Replayer:
    """Replays as the worker does: same plugin, same runner."""
    return Replayer(
        workflows=[TopUp], plugins=[TopUpsPlugin()], workflow_runner=UpToTheLastTask(), runtime=quiet_runtime()
    )


def control_replayer() -> Replayer:
    """The same sandbox, no plugin."""
    return Replayer(workflows=[Smallest], workflow_runner=UpToTheLastTask(), runtime=quiet_runtime())


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
