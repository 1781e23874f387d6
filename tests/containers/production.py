"""Temporal's production server on PostgreSQL, in containers: killed, restored and started again like the dev server."""

import gc
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import docker
from docker.errors import DockerException
from google.protobuf.duration_pb2 import Duration
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode
from testcontainers.community.postgres import PostgresContainer
from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network

from starter.local import DYNAMIC_CONFIG, HOST, DevServer
from starter.processes import Process, free_port
from tests.conftest import register
from topups.namespace import missing_search_attributes, takes_orders

VERSIONS = dict(
    line.split("=", 1)
    for line in (Path(__file__).parents[2] / ".env").read_text(encoding="utf-8").splitlines()
    if "=" in line and not line.startswith("#")
)
STORES = ("temporal", "visibility")
USER = PASSWORD = "temporal"
DATABASE_HOST = "postgresql"
START_SECONDS = 120.0
RESTARTS = 10
# Of a server with a few orders; each costs it something, and many such servers run at once.
FEW_SHARDS = 4
RETENTION_SECONDS = 7 * 86_400
# A database's schema is made once and copied for each server.
BLANK = "blank"
SCHEMA = """
for store in temporal visibility; do
  tool="temporal-sql-tool --plugin postgres12 --ep postgresql -p 5432 -u temporal --pw temporal --db ${store}_blank"
  $tool create-database
  $tool setup-schema -v 0.0
  $tool update-schema -d /etc/temporal/schema/postgresql/v12/$store/versioned
done
"""


def why_no_engine() -> str | None:
    """Say why no Docker engine answers; None where one does."""
    with warnings.catch_warnings():
        # Docker's SDK forgets the socket by which it met nobody.
        warnings.simplefilter("ignore", ResourceWarning)
        why_not = _why_no_answer()
        gc.collect()
    return why_not


def _why_no_answer() -> str | None:
    try:
        with closing(docker.from_env()) as client:
            client.ping()
    except DockerException as error:
        return f"no Docker engine answers: {error}"
    return None


class Database:
    """A PostgreSQL that holds the databases of several Temporal servers."""

    def __init__(self, container: PostgresContainer, network: Network) -> None:
        self.network = network
        self._container = container

    def make(self, name: str, copy_of: str) -> None:
        """Make both stores of a server by copying those of another, which must not be running."""
        for store in STORES:
            # A server that was just killed may still count as connected.
            self._run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{store}_{copy_of}'")
            self._run(f'DROP DATABASE IF EXISTS "{store}_{name}" WITH (FORCE)')
            self._run(f'CREATE DATABASE "{store}_{name}" TEMPLATE "{store}_{copy_of}"')
            # A schema knows the name of its database.
            self._run(f"UPDATE schema_version SET db_name = '{store}_{name}'", at=f"{store}_{name}")

    def _run(self, statement: str, at: str = "postgres") -> None:
        done = self._container.exec(["psql", "-v", "ON_ERROR_STOP=1", "-U", USER, "-d", at, "-c", statement])
        assert done.exit_code == 0, f"{statement}: {done.output!r}"


@contextmanager
def database() -> Iterator[Database]:
    """A PostgreSQL with the blank schema of both stores."""
    with Network() as network, _postgres(network) as container:
        tools = DockerContainer(f"temporalio/admin-tools:{VERSIONS['TEMPORAL_ADMIN_TOOLS_VERSION']}")
        tools.with_network(network).with_kwargs(entrypoint=["bash", "-euc", SCHEMA])
        with tools:
            ended = tools.get_wrapped_container().wait(timeout=START_SECONDS)
            assert ended["StatusCode"] == 0, tools.get_logs()
        yield Database(container, network)


def _postgres(network: Network) -> PostgresContainer:
    image = f"postgres:{VERSIONS['POSTGRES_VERSION']}"
    container = PostgresContainer(image, username=USER, password=PASSWORD, dbname="postgres", driver=None)
    # A Temporal server opens 45, and one that was killed gives them back late.
    container.with_command(["-c", "max_connections=1000"])
    return container.with_network(network).with_network_aliases(DATABASE_HOST)


class ContainerProcess(Process):
    """A container in the place of a process."""

    def __init__(self, name: str, container: DockerContainer, *, log: Path) -> None:
        super().__init__(name, [], log=log)
        self._container = container
        self._was_started = False

    @property
    def pid(self) -> int:
        """On the engine's host."""
        wrapped = self._container.get_wrapped_container()
        wrapped.reload()
        return int(wrapped.attrs["State"]["Pid"])

    @property
    def running(self) -> bool:
        """Whether it lives now, or is about to live again because it ended by itself."""
        if not self._was_started:
            return False
        wrapped = self._container.get_wrapped_container()
        wrapped.reload()
        return wrapped.status in ("running", "restarting")

    @property
    def output(self) -> str:
        """What all its lives have written."""
        return b"\n".join(self._container.get_logs()).decode(errors="replace") if self._was_started else ""

    def start(self) -> None:
        """Start it, or start it again."""
        if self._was_started:
            self._container.get_wrapped_container().start()
        else:
            self._container.start()
        self._was_started = True

    def kill(self) -> int:
        """Kill it by SIGKILL."""
        pid = self.pid if self.running else 0
        if self.running:
            self._container.get_wrapped_container().kill()
            self._container.get_wrapped_container().wait()
        return pid

    def remove(self) -> None:
        """Throw it away."""
        if self._was_started:
            self._container.stop()
            self._was_started = False


class ProductionServer(DevServer):
    """One Temporal server with stores of its own. Killed and started again it goes on where it was."""

    process: ContainerProcess

    def __init__(self, database: Database, name: str, folder: Path, shards: int = FEW_SHARDS) -> None:
        self._database, self._name, self._shards = database, name, shards
        self.port = free_port()
        self.address = f"{HOST}:{self.port}"
        database.make(name, copy_of=BLANK)
        self.process = ContainerProcess("temporal server", self._container(folder), log=folder / "temporal.log")

    async def start(self) -> None:
        """Start it, or start it again; return when it holds orders. Raises NotReady."""
        self.process.start()
        await self.process.wait_for_port(self.port, START_SECONDS)
        await self.process.wait_for(self._is_ready, "a namespace with the search attributes", START_SECONDS)

    def back_up(self) -> None:
        """Copy both stores; the server must have been killed."""
        self._database.make(f"{self._name}_backup", copy_of=self._name)

    def restore(self) -> None:
        """Put the copy in their place; the server must have been killed."""
        self._database.make(self._name, copy_of=f"{self._name}_backup")

    async def _is_ready(self) -> bool:
        try:
            client = await self.connect()
            await _with_namespace(client)
            await register(client, await missing_search_attributes(client))
            return await takes_orders(client)
        except (RPCError, RuntimeError):
            return False

    def _container(self, folder: Path) -> DockerContainer:
        config = folder / "dynamic.yaml"
        config.write_text("".join(f"{name}:\n- value: {value}\n" for name, value in DYNAMIC_CONFIG.items()))
        container = DockerContainer(f"temporalio/server:{VERSIONS['TEMPORAL_VERSION']}")
        container.with_network(self._database.network).with_bind_ports(7233, self.port)
        container.with_volume_mapping(str(config), "/etc/temporal/dynamic.yaml")
        # A server that finds no database ends, and is started again as docker-compose.yml does it; a kill stays a kill.
        container.with_kwargs(restart_policy={"Name": "on-failure", "MaximumRetryCount": RESTARTS})
        return container.with_envs(
            DB="postgres12_pgx",
            DB_PORT="5432",
            POSTGRES_SEEDS=DATABASE_HOST,
            POSTGRES_USER=USER,
            POSTGRES_PWD=PASSWORD,
            DBNAME=f"temporal_{self._name}",
            VISIBILITY_DBNAME=f"visibility_{self._name}",
            BIND_ON_IP="0.0.0.0",
            NUM_HISTORY_SHARDS=str(self._shards),
            DYNAMIC_CONFIG_FILE_PATH="/etc/temporal/dynamic.yaml",
        )


async def _with_namespace(client: Client) -> None:
    request = RegisterNamespaceRequest(
        namespace=client.namespace, workflow_execution_retention_period=Duration(seconds=RETENTION_SECONDS)
    )
    try:
        await client.workflow_service.register_namespace(request)
    except RPCError as error:
        if error.status is not RPCStatusCode.ALREADY_EXISTS:
            raise
