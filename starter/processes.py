"""Child processes that can be killed at a named moment, started again, and never outlive their parent."""

import asyncio
import atexit
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

READY_SECONDS = 20.0
LOOK_EVERY_SECONDS = 0.02
LINES, LINE_CHARACTERS = 30, 400
# Below every system's range for outgoing connections: a client that redials a dead server on a port of that range
# can end up connected to itself, and the server then never gets its port back.
PORTS = range(20_000, 30_000)
_given: set[int] = set()

# Runs before the real command, in the child: the kernel ends it when its parent goes, however the parent goes.
_TIED = """
import ctypes, os, signal, sys
try:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
except (AttributeError, OSError):
    pass
if os.getppid() != int(sys.argv[1]):
    os._exit(1)
os.execvp(sys.argv[2], sys.argv[2:])
"""


class NotReady(Exception):
    """A process ended, or its time passed, before it was ready; the text shows the end of its log."""


class Process:
    """A command with a log file, in a process group of its own. It may be started again after it ended.

    `tied` (the default) makes it end with its parent, even when that is killed; on systems other than Linux only
    when the parent leaves in an orderly way. Start a tied process from the main thread.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        tied: bool = True,
    ) -> None:
        self.name = name
        self.log = log
        self._command = list(command)
        self._env = dict(env) if env is not None else None
        self._tied = tied
        self._popen: subprocess.Popen[bytes] | None = None
        self._begins_at = 0

    @property
    def pid(self) -> int:
        """The process id of the newest life; 0 before the first."""
        return self._popen.pid if self._popen else 0

    @property
    def running(self) -> bool:
        """Whether it lives now."""
        return self._popen is not None and self._popen.poll() is None

    @property
    def output(self) -> str:
        """What the newest life has written so far, stdout and stderr."""
        with self.log.open("rb") as log:
            log.seek(self._begins_at)
            return log.read().decode(errors="replace")

    def start(self) -> None:
        """Start it; what it needs to be ready is for `wait_for_line` or `wait_for_port`."""
        if self.running:
            raise RuntimeError(f"{self.name} is running already")
        tie = [sys.executable, "-ISc", _TIED, str(os.getpid())] if self._tied else []
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._begins_at = log.tell()
            self._popen = subprocess.Popen(
                [*tie, *self._command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._env,
                start_new_session=True,
            )
        atexit.register(self.kill)

    def kill(self) -> int:
        """Kill it by SIGKILL and return the pid that it had; harmless when it has ended."""
        self._signal(signal.SIGKILL)
        if self._popen:
            self._popen.wait()
        atexit.unregister(self.kill)
        return self.pid

    def terminate(self) -> None:
        """Ask it to stop, by SIGTERM."""
        self._signal(signal.SIGTERM)

    def leave_running(self) -> None:
        """Let it outlive this process; only for one that isn't tied."""
        atexit.unregister(self.kill)

    async def ended(self, seconds: float) -> int:
        """Return its exit code (negative: the signal). Raises NotReady when it still runs after `seconds`."""
        await self._until(lambda: not self.running, seconds, "its end", must_live=False)
        return self._popen.returncode if self._popen else 0

    async def wait_for_line(self, text: str, seconds: float = READY_SECONDS) -> str:
        """Return the first line with `text` that its newest life wrote. Raises NotReady."""
        found: list[str] = []

        def look() -> bool:
            found[:] = [line for line in self.output.splitlines() if text in line]
            return bool(found)

        await self._until(look, seconds, f"a line with {text!r}")
        return found[0]

    async def wait_for_port(self, port: int, seconds: float = READY_SECONDS) -> None:
        """Return when something answers on the port of this host. Raises NotReady."""
        await self._until(lambda: is_open(port), seconds, f"port {port}")

    async def wait_for(self, ready: Callable[[], Awaitable[bool]], what: str, seconds: float = READY_SECONDS) -> None:
        """Return when `ready` says so. Raises NotReady."""
        deadline = asyncio.get_running_loop().time() + seconds
        while not await ready():
            self._still_possible(deadline, what, must_live=True)
            await asyncio.sleep(LOOK_EVERY_SECONDS)

    async def _until(self, ready: Callable[[], bool], seconds: float, what: str, *, must_live: bool = True) -> None:
        deadline = asyncio.get_running_loop().time() + seconds
        while not ready():
            self._still_possible(deadline, what, must_live=must_live)
            await asyncio.sleep(LOOK_EVERY_SECONDS)

    def _still_possible(self, deadline: float, what: str, *, must_live: bool) -> None:
        late = asyncio.get_running_loop().time() > deadline
        if not late and (self.running or not must_live):
            return
        state = "is not there yet" if self.running else f"ended ({self._popen and self._popen.returncode})"
        raise NotReady(f"{self.name}: waited for {what}, but it {state}\n{end_of(self.output)}")

    def _signal(self, number: signal.Signals) -> None:
        if self._popen is not None and self._popen.poll() is None:
            self._popen.send_signal(number)


def end_of(output: str) -> str:
    """The last lines of a log, shortened where a stack trace makes them long: what went wrong stands before it."""
    return "\n".join(line[:LINE_CHARACTERS] for line in output.splitlines()[-LINES:])


def is_open(port: int) -> bool:
    """Whether something answers on the port of this host."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    """A port of this host that nobody uses now; the same one is never given twice, used or not yet."""
    for port in random.sample(sorted(set(PORTS) - _given), len(PORTS) - len(_given)):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            _given.add(port)
            return port
    raise NotReady("no free port on this host")
