"""Every history that a campaign left on the server must replay with today's code."""

from collections.abc import Collection

from temporalio.client import Client
from temporalio.worker import Replayer

from topups import TopUpsPlugin
from topups.start import ID_PREFIX
from workflows import TopUp

TOP_UPS = "WorkflowType = 'TopUp'"


async def replay_all(client: Client, *, but: Collection[str] = ()) -> tuple[int, list[str]]:
    """Replay every order's history but those of some refs; how many there were, and which failed with what."""
    skipped = {f"{ID_PREFIX}{ref}" for ref in but}
    replayer = Replayer(workflows=[TopUp], plugins=[TopUpsPlugin()])
    replayed, failures = 0, []
    async for run in client.list_workflows(TOP_UPS):
        if run.id in skipped:
            continue
        history = await client.get_workflow_handle(run.id, run_id=run.run_id).fetch_history()
        outcome = await replayer.replay_workflow(history, raise_on_replay_failure=False)
        replayed += 1
        if outcome.replay_failure is not None:
            failures.append(f"{run.id}: {outcome.replay_failure}")
    return replayed, failures
