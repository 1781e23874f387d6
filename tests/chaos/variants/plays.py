"""One short play for each variant: orders that lead it into its mistake, or a deploy and its roll-back."""

import asyncio
import os
import sys
from dataclasses import replace
from datetime import datetime
from itertools import pairwise

from starter.demo.stage import KEY, Stage
from starter.demo.verdict import Row, read_ledger
from starter.local import without_ours
from starter.processes import Process
from tests.system.scene import NOBODY_ANSWERS, Evidence, Scene
from topups.settings import ClientSettings

ENDLESS = "0600000006"  # the stand-in's number for HANDLING without an end
THE_REAL_ONE = "worker"
BROKEN_TASK_SECONDS = 30.0
# The judge calls a check late that comes more than 15 s after the end.
UNTIL_LATE_SECONDS = 18.0


async def blind_resend(stage: Stage) -> list[Row]:
    """Return the commits for the number of one order."""
    scene = await _scene(stage, "blind-resend")
    await _lose_the_answer(scene)
    await scene.submit()
    await scene.end()
    phone = (await scene.row(kind="commit"))["phone"]
    return [row for row in read_ledger(stage.ledger) if row["kind"] == "commit" and row["phone"] == phone]


async def documented_loop(stage: Stage) -> list[Evidence]:
    """Return how orders end: in doubt, with a check that got no answer, and still at work at the last check."""
    scene = await _scene(stage, "documented-loop", TOPUPS_POLL_COUNT="2")
    unknown, unanswered, endless = (scene.beside(f"loop-{how}") for how in ("unknown", "unanswered", "endless"))
    await stage.desk.arm("check-id", "received", "error", http=503, ref=unanswered.ref)
    await asyncio.gather(unknown.submit(NOBODY_ANSWERS), unanswered.submit(), endless.submit(ENDLESS))
    return [await each.end() for each in (unknown, unanswered, endless)]


async def duplicate_is_failure(stage: Stage) -> Evidence:
    """Return how an order ends whose send lost its answer."""
    scene = await _scene(stage, "duplicate-is-failure")
    await _lose_the_answer(scene)
    await scene.submit()
    return await scene.end()


async def first_404(stage: Stage) -> Evidence:
    """Return how an order ends that shows late after a send that lost its answer."""
    scene = await _scene(stage, "first-404")
    await _lose_the_answer(scene)
    await stage.desk.arm("check-ref", "received", "NOT_FOUND", ref=scene.ref)
    await scene.submit()
    return await scene.end()


async def no_limit(stage: Stage) -> Evidence:
    """Return how an order ends where one request a minute is allowed."""
    scene = await _scene(stage, "no-limit", ONECLICKDZ_RATE_LIMIT="1")
    await scene.submit()
    return await scene.end()


async def forgets(stage: Stage) -> list[Row]:
    """Return the requests after the final answer."""
    scene = await _scene(stage, "forgets")
    await scene.submit()
    final = await scene.row(kind="answer", endpoint="check-id", status="FULFILLED")
    await asyncio.sleep(UNTIL_LATE_SECONDS)
    return [row for row in scene.rows() if row["seq"] > final["seq"] and row["kind"] == "request"]


async def hurries(stage: Stage) -> list[float]:
    """Return the seconds between checks."""
    scene = await _scene(stage, "hurries")
    await scene.submit()
    rows = [row for row in (await scene.end()).rows if row["kind"] == "request" and row["endpoint"] == "check-id"]
    times = [datetime.fromisoformat(row["at"]).timestamp() for row in rows]
    return [after - before for before, after in pairwise(times)]


async def patched(stage: Stage) -> list[Evidence]:
    """Return how an order ends that the old code began, and one that the patched code began."""
    old = await _scene(stage, THE_REAL_ONE, "patched")
    await _under_way(old)
    new = await _deploy(old, "patched")
    new = new.beside("patched-new")
    await _under_way(new)
    for scene in (old, new):
        await stage.desk.drive(scene.ref, "FULFILLED")
    return [await scene.end() for scene in (old, new)]


async def patch_rolled_back(stage: Stage) -> Evidence:
    """Return how an order ends that the patched code began and the old code couldn't go on with."""
    scene = await _scene(stage, "patched", "rolled-back")
    await _under_way(scene)
    scene = await _deploy(scene, THE_REAL_ONE)
    await scene.worker.wait_for_line("Nondeterminism", BROKEN_TASK_SECONDS)
    await stage.desk.drive(scene.ref, "FULFILLED")
    return await (await _deploy(scene, "patched")).end()


async def bad_deploy(stage: Stage) -> Evidence:
    """Return how an order ends that was stuck under a changed workflow."""
    return await _stuck_and_rolled_back(stage, "bad-deploy", "Nondeterminism")


async def raises(stage: Stage) -> Evidence:
    """Return how an order ends that was stuck under a workflow with a bug."""
    return await _stuck_and_rolled_back(stage, "raises", "KeyError")


async def _stuck_and_rolled_back(stage: Stage, variant: str, trouble: str) -> Evidence:
    scene = await _scene(stage, THE_REAL_ONE, variant)
    await _under_way(scene)
    scene = await _deploy(scene, variant)
    await scene.worker.wait_for_line(trouble, BROKEN_TASK_SECONDS)
    await stage.desk.drive(scene.ref, "FULFILLED")
    return await (await _deploy(scene, THE_REAL_ONE)).end()


async def _scene(stage: Stage, variant: str, ref: str | None = None, **env: str) -> Scene:
    """An order on a queue of its own, both named `ref`, by default like the variant."""
    ref = ref or variant
    topups = await stage.topups(ClientSettings(task_queue=ref))
    scene = Scene(stage, topups, ref, _worker(stage, variant, ref, **env), env)
    await scene.start_worker()
    return scene


async def _deploy(scene: Scene, variant: str) -> Scene:
    """Let another worker take over the scene's queue."""
    scene.kill_worker()
    scene = replace(scene, worker=_worker(scene.stage, variant, scene.topups.settings.task_queue))
    await scene.start_worker()
    return scene


def _worker(stage: Stage, variant: str, queue: str, **env: str) -> Process:
    mine = {
        "TEMPORAL_ADDRESS": stage.server.address,
        "ONECLICKDZ_ACCESS_TOKEN": KEY,
        "ONECLICKDZ_BASE_URL": f"{stage.provider_url}/v3",
        "ONECLICKDZ_RATE_LIMIT": "1000",
        "TOPUPS_STATE_DIR": str(stage.folder / queue),
        "TOPUPS_TASK_QUEUE": queue,
    }
    module = [variant] if variant == THE_REAL_ONE else ["tests.chaos.variants", variant]
    name = f"{queue}-{variant}-{len(stage.workers)}"
    log, settings = stage.folder / f"{name}.log", without_ours(os.environ, **(mine | env))
    stage.workers.append(Process(name, [sys.executable, "-m", *module], log=log, env=settings))
    return stage.workers[-1]


async def _lose_the_answer(scene: Scene) -> None:
    await scene.stage.desk.arm("send", "committed", "reset", ref=scene.ref)


async def _under_way(scene: Scene) -> None:
    await scene.submit(ENDLESS)
    await scene.row(kind="answer", endpoint="check-id", status="HANDLING")


ALL = (
    patched,
    patch_rolled_back,
    bad_deploy,
    raises,
    blind_resend,
    documented_loop,
    duplicate_is_failure,
    first_404,
    no_limit,
    forgets,
    hurries,
)
