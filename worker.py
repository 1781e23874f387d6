"""The worker: runs the orders' workflows and talks to the provider. `python worker.py`, settings by environment.

Exit codes: 0 stopped as asked; 1 it died; 2 a setting is wrong (the text says which).
"""

import asyncio
import logging
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import timedelta
from importlib import import_module
from typing import Any

from pydantic import ValidationError
from temporalio.client import Client
from temporalio.runtime import Runtime
from temporalio.service import RPCError
from temporalio.worker import Worker

from activities import ClockActivities, PolicyActivities, ProviderActivities, ReconcileActivities
from activities.succession import NotesKept, succeed_the_dead, under_way_at
from activities.under_way import UnderWay
from activities.watching import Watcher
from oneclickdz import (
    DEFAULT_LIMITS,
    CredentialsRefused,
    FileToken,
    Observer,
    OneClickDZ,
    OneClickDZError,
    StaticToken,
    Store,
    WrongEnvironment,
)
from topups.client import TopUps, connect_temporal
from topups.encryption import Keys
from topups.errors import NotAllowed, SetupNeeded, TemporalUnreachable, TopUpError
from topups.logs import set_up_logging
from topups.models import Phase
from topups.namespace import missing_search_attributes
from topups.policy import Policy
from topups.secrets import secret
from topups.settings import PolicySettings, WorkerSettings
from topups.traces import tracing
from topups.version import installed_version
from watch import KEY_ACCEPTED, Watch
from workflows import Reconcile, TopUp, TopUpAudit
from workflows.runner import UpToTheLastTask

log = logging.getLogger("topups.worker")

# Longer than a POST may last (30 s), so that a stop never tears one.
GRACEFUL_SHUTDOWN = timedelta(seconds=40)
# With the default of 10 s an order waits that much longer for a worker that died. With 2 or 3 s the tasks of a burst
# are taken from a worker that lives, and played back from their start: a quarter fewer orders a second.
STICKY_TIMEOUT = timedelta(seconds=5)
HEARTBEAT_THROTTLE = timedelta(seconds=2)
GUARD_EVERY_SECONDS = 10.0
RECONNECT_SECONDS = 2.0
CACHED_WORKFLOWS = 2_000
CONCURRENT_ACTIVITIES = 200
# Every task that it holds must end within the task time-out (5 s), also when all of them replay from the start.
CONCURRENT_WORKFLOW_TASKS = 20
# The default is one poll in five for orders that no worker has in memory; after a worker's death that's all of them.
WORKFLOW_TASK_POLLS, POLLS_FOR_ANY_ORDER = 10, 0.5


class WrongSetting(Exception):
    """A setting is wrong; no restart helps before somebody changes it."""


@contextmanager
def shared_books(settings: WorkerSettings) -> Iterator[Callable[[str], Store] | None]:
    """Where workers on several hosts share a key's books; None where those of this host's files do.

    Raises WrongSetting or SetupNeeded.
    """
    url = secret("TOPUPS_STATE_URL", settings.state_url, settings.state_url_file)
    if not url:
        yield None
        return
    try:
        books = import_module("oneclickdz.postgresql").PostgreSQLBooks(url)
    except ImportError:
        raise WrongSetting("TOPUPS_STATE_URL needs PostgreSQL's driver: install durable-topups[postgresql]") from None
    except ValueError as error:
        raise WrongSetting(str(error)) from None
    with closing(books):
        yield books


def provider_client(
    settings: WorkerSettings, observer: Observer | None = None, store: Callable[[str], Store] | None = None
) -> OneClickDZ:
    """Return the provider's client for these settings. Raises WrongSetting without a token."""
    if settings.access_token_file is not None:
        token: FileToken | StaticToken = FileToken(settings.access_token_file)
    elif settings.access_token is not None and settings.access_token.get_secret_value().strip():
        token = StaticToken(settings.access_token.get_secret_value())
    else:
        raise WrongSetting("no access token: set ONECLICKDZ_ACCESS_TOKEN, or ONECLICKDZ_ACCESS_TOKEN_FILE to its file")
    return OneClickDZ(
        token=token,
        environment=settings.environment,
        state_dir=settings.state_dir,
        base_url=settings.base_url,
        rate_limit=settings.rate_limit,
        coalesce=settings.coalesce_checks,
        store=store,
        observer=observer,
    )


def build_worker(
    client: Client,
    provider: OneClickDZ,
    settings: WorkerSettings,
    policy: Policy,
    *,
    watcher: Watcher | None = None,
    under_way: UnderWay | None = None,
) -> Worker:
    """Return the one kind of worker that this system has."""
    asks = ProviderActivities(provider, settings.environment, watcher)
    # A quarter of the key's limit, a minute: the rest is for orders under way.
    pace = 240 / (settings.rate_limit or DEFAULT_LIMITS[settings.environment])
    books = ReconcileActivities(provider, TopUps(client, settings), settings.environment, pace=pace)
    return Worker(
        client,
        task_queue=settings.task_queue,
        workflows=[TopUp, TopUpAudit, Reconcile],
        workflow_runner=UpToTheLastTask(),
        activities=[
            *(asks.prepare, asks.send, asks.look_up, asks.check),
            *(books.compare, books.act, books.look),
            *(PolicyActivities(policy).read_policy, ClockActivities().read_clock),
        ],
        interceptors=[NotesKept(under_way)] if under_way is not None else [],
        # Without one the SDK reads the code of every loaded module again and hashes it: 1 s of each start.
        build_id=installed_version(),
        max_cached_workflows=CACHED_WORKFLOWS,
        max_concurrent_activities=CONCURRENT_ACTIVITIES,
        max_concurrent_workflow_tasks=CONCURRENT_WORKFLOW_TASKS,
        max_concurrent_workflow_task_polls=WORKFLOW_TASK_POLLS,
        nonsticky_to_sticky_poll_ratio=POLLS_FOR_ANY_ORDER,
        graceful_shutdown_timeout=GRACEFUL_SHUTDOWN,
        sticky_queue_schedule_to_start_timeout=STICKY_TIMEOUT,
        max_heartbeat_throttle_interval=HEARTBEAT_THROTTLE,
        default_heartbeat_throttle_interval=HEARTBEAT_THROTTLE,
    )


async def connect(runtime: Runtime | None = None) -> Client:
    """Connect to Temporal, however long it takes; a worker may start before its server."""
    while True:
        try:
            client = await connect_temporal(runtime=runtime)
            missing = await missing_search_attributes(client)
            if not missing:
                await TopUps(client).must_be_readable()
        except TemporalUnreachable as error:
            log.warning("%s; trying again in %g s", error, RECONNECT_SECONDS)
            await asyncio.sleep(RECONNECT_SECONDS)
            continue
        if missing:
            raise SetupNeeded(f"the namespace lacks the search attributes {', '.join(missing)}: run `topup setup`")
        return client


async def watch_key(provider: OneClickDZ, topups: TopUps, watch: Watch) -> None:
    """Say whose key it is, and again whenever that changes; end only for a valid key of the wrong environment.

    Orders on hold go on as soon as the provider accepts a key, not when their own wait ends.
    The guard in the provider's client decides whether a look costs a request: a refused key costs one in 15 minutes.
    """
    said: str | None = None
    while True:
        refusal: OneClickDZError | None = None
        try:
            await provider.identify()
        except WrongEnvironment as error:
            raise WrongSetting(str(error)) from error
        except OneClickDZError as error:
            refusal = error
        state = KEY_ACCEPTED if refusal is None else refusal.code or type(refusal).__name__
        watch.key(state, refused=isinstance(refusal, CredentialsRefused))
        if state != said and refusal is not None:
            log.error("Nothing is sent and orders wait: %s", refusal)
        elif state != said:
            log.info("The provider accepts the key; sending is on")
            await _wake_held(topups)
        said = state
        await asyncio.sleep(GUARD_EVERY_SECONDS)


async def _wake_held(topups: TopUps) -> None:
    try:
        async for row in topups.list(phase=Phase.ON_HOLD, open_only=True):
            with suppress(NotAllowed):
                await topups.order(row.ref).recheck(by="worker")
    except (TopUpError, RPCError) as error:
        log.warning("Orders on hold go on when their own wait ends: %s", error)


async def run(settings: WorkerSettings, policy: Policy, stop: asyncio.Event) -> None:
    """Work until `stop` is set. Raises WrongSetting, SetupNeeded, or whatever the worker died of."""
    with shared_books(settings) as store:
        await _run(settings, policy, stop, store)


async def _run(
    settings: WorkerSettings, policy: Policy, stop: asyncio.Event, store: Callable[[str], Store] | None
) -> None:
    stopping = asyncio.create_task(stop.wait())
    async with Watch(settings, policy) as watch, provider_client(settings, watch.observer, store) as provider:
        connecting = asyncio.create_task(connect(watch.runtime))
        if await _first({stopping, connecting}) is stopping:
            connecting.cancel()
            return
        client = connecting.result()
        _say_whether_encrypted()
        with under_way_at(settings.state_dir, client) as under_way:
            worker = build_worker(client, provider, settings, policy, watcher=watch.metrics, under_way=under_way)
            working = asyncio.create_task(worker.run())
            guard = asyncio.create_task(watch_key(provider, TopUps(client, settings), watch))
            heir = asyncio.create_task(succeed_the_dead(client, under_way))
            watch.begin(client, provider, working)
            log.info("Worker is ready: polls %s for %s orders", settings.task_queue, settings.environment)
            ended = await _first({stopping, working, guard})
            for task in (guard, heir):
                task.cancel()
            watch.stopping()
            if ended is not working:
                log.info("Stopping; what is under way is heard to its end")
                await worker.shutdown()
            await working
            if ended is guard:
                guard.result()


def _say_whether_encrypted() -> None:
    key_id = Keys.from_environment().first
    if key_id is None:
        log.warning("Orders are kept in plain: set TOPUPS_ENCRYPTION_KEYS to encrypt them")
    else:
        log.info("Orders are encrypted with key %s", key_id)


async def _first(tasks: set[asyncio.Task[Any]]) -> asyncio.Task[Any]:
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    return done.pop()


def _settings() -> tuple[WorkerSettings, Policy]:
    try:
        return WorkerSettings(), PolicySettings().policy()
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
            for problem in error.errors(include_url=False, include_input=False)
        )
        raise WrongSetting(f"a setting is wrong: {problems}") from None


async def serve() -> None:
    """Run a worker until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await run(*_settings(), stop)


def main() -> int:
    """Return the exit code of a worker's life."""
    set_up_logging()
    try:
        asyncio.run(serve())
    except (WrongSetting, SetupNeeded) as error:
        log.critical("%s", error)
        return 2
    except Exception:
        log.exception("The worker died")
        return 1
    finally:
        tracing.flush()
    log.info("Stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
