"""The processes of a campaign, and what they are told by environment."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from starter.local import without_ours
from starter.processes import Process

KEY = "sandbox-key"
# The provider's own 5 and 15 s, divided; none of our waits is.
SPEED = 5.0
# Of the campaign, for 24 h: kills must be able to meet the sleep. The true 24 h are skipped on the server's clock.
UNKNOWN_RECHECK_SECONDS = 90.0


class Programs:
    """Makes processes that aren't started yet; their logs go into `folder`, `address` is the Temporal server's."""

    def __init__(self, folder: Path, address: str, provider_url: str, *, coalesce: bool) -> None:
        self._folder = folder
        self._address = address
        self._provider_url = provider_url
        self._coalesce = coalesce

    def worker(self, name: str, module: str, env: Mapping[str, str]) -> Process:
        """A worker that runs `module`, which may have arguments; `env` overrides its settings."""
        settings = {
            "ONECLICKDZ_ACCESS_TOKEN": KEY,
            "ONECLICKDZ_BASE_URL": f"{self._provider_url}/v3",
            "TOPUPS_STATE_DIR": str(self._folder / "state"),
            "TOPUPS_UNKNOWN_RECHECK": str(UNKNOWN_RECHECK_SECONDS),
            "TOPUPS_HOLD_MIN": "5",
            "TOPUPS_HOLD_MAX": "20",
            "TOPUPS_COALESCE_CHECKS": "true" if self._coalesce else "false",
        }
        return self.python(name, "-m", *module.split(), env=settings | dict(env))

    def provider(self, port: int, rate_limit: int) -> Process:
        """The stand-in."""
        command = ["-m", "simulator", "--port", str(port), "--ledger", str(self._folder / "ledger.jsonl")]
        return self.python("provider", *command, "--speed", str(SPEED), "--rate-limit", str(rate_limit))

    def python(self, name: str, *arguments: str, env: Mapping[str, str] | None = None) -> Process:
        """Any of our programs."""
        given = without_ours(os.environ, TEMPORAL_ADDRESS=self._address) | dict(env or {})
        # Hundreds of workers start here; where Python keeps no bytecode each would compile everything anew.
        given.pop("PYTHONDONTWRITEBYTECODE", None)
        given["PYTHONPYCACHEPREFIX"] = str(self._folder.parent / "bytecode")
        return Process(name, [sys.executable, *arguments], log=self._folder / f"{name}.log", env=given)
