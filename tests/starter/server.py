"""A real Temporal server without a worker, and the command at it."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from starter.cli import run
from starter.processes import free_port, is_open
from tests.starter.fakes import Answer

START_SECONDS = 20
TEMPORAL = shutil.which("temporal", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")


@contextmanager
def bare_server() -> Iterator[str]:
    """The address of a server whose namespace nobody has set up."""
    if TEMPORAL is None:
        pytest.skip("needs the `temporal` binary")
    port = free_port()
    start = [TEMPORAL, "server", "start-dev", "--ip", "127.0.0.1", "--port", str(port), "--headless"]
    quiet = subprocess.DEVNULL
    with subprocess.Popen([*start, "--log-level", "never"], stdout=quiet, stderr=quiet) as process:
        try:
            deadline = time.monotonic() + START_SECONDS
            while not (is_open(port) and _has_its_namespace(port)):
                assert time.monotonic() < deadline, "the server did not start"
                time.sleep(0.05)
            yield f"127.0.0.1:{port}"
        finally:
            process.kill()


def _has_its_namespace(port: int) -> bool:
    ask = [str(TEMPORAL), "operator", "namespace", "describe", "-n", "default", "--address", f"127.0.0.1:{port}"]
    return subprocess.run(ask, capture_output=True, check=False).returncode == 0


class Cli:
    """The command; `TEMPORAL_ADDRESS` says where."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    def __call__(self, *argv: str) -> Answer:
        code = run(argv)
        caught = self.capsys.readouterr()
        return Answer(code, caught.out, caught.err)
