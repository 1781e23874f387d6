"""The command ``python -m simulator``."""

import argparse
import json
import signal
import socket
import sys
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import uvicorn
from pydantic import ValidationError

from simulator.app import Simulator, create_app
from simulator.journal import JournalCorrupt, JournalInUse
from simulator.plans import Catalogue
from simulator.settings import Settings
from simulator.wire import CuttingProtocol

EPILOG = """\
keys: sandbox-key, production-key, other-sandbox-key, other-production-key, readonly-key, disabled-key
numbers: 0600000001 refunded, 0600000002 refunded with offers, 0600000003 UNKNOWN_ERROR, ... docs/simulator.md

example: python -m simulator --port 8033 --ledger ledger.jsonl --speed 10
"""


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code: 0, or 2 if it can't start."""
    options = _parser().parse_args(arguments)
    chosen = {name: value for name in Settings.model_fields if (value := getattr(options, name, None)) is not None}
    try:
        catalogue = Catalogue.from_file(options.plans) if options.plans else None
        listening = socket.create_server((options.host, options.port))
        app = create_app(options.ledger, Settings(**chosen), catalogue=catalogue)
    except (OSError, ValueError, JournalCorrupt, JournalInUse) as error:
        sys.stderr.write(f"simulator: {_reason(error)}\n")
        return 2
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    config = uvicorn.Config(
        app, http=CuttingProtocol, ws="none", log_level="critical", access_log=False, timeout_graceful_shutdown=1
    )
    _Server(config, app.state.simulator, options.ledger).run(sockets=[listening])
    return 0


class _Server(uvicorn.Server):
    """Says where it listens, and stops at once although requests are held."""

    def __init__(self, config: uvicorn.Config, simulator: Simulator, ledger: Path) -> None:
        super().__init__(config)
        self._simulator = simulator
        self._ledger = ledger

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        host, port = (sockets or [])[0].getsockname()[:2]
        ready = {"ready": True, "url": f"http://{host}:{port}", "port": port, "ledger": str(self._ledger)}
        sys.stdout.write(json.dumps(ready) + "\n")
        sys.stdout.flush()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        self._simulator.stop()


def _leave(_number: int, _frame: FrameType | None) -> NoReturn:
    # uvicorn raises the signal again after its shutdown; being stopped is no failure.
    sys.exit(0)


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
    return str(error)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m simulator",
        description="A stand-in for the OneClickDZ v3 provider, with a ledger and faults on order.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add: Any = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    add("--port", type=int, default=8033, help="0 picks a free one (default: %(default)s)")
    add("--ledger", type=Path, default=Path("simulator-ledger.jsonl"), help="the ledger; goes on where it ended")
    add("--speed", type=float, help="divides the provider's own delays; never the rate limit's window")
    add("--rate-limit", type=int, metavar="N", help="requests a minute and key; 0: no limit (default: 60 and 120)")
    add("--balance", metavar="DZD", help="of every wallet that the ledger doesn't know (default: 1000000)")
    add("--plans", type=Path, metavar="FILE", help="another catalogue: {dynamicPlans: [], fixedPlans: []}")
    add("--ref-form", choices=["prefixed", "bare"], help="how a ref is stored (default: prefixed)")
    add("--check-ref-forms", choices=["both", "bare", "prefixed", "none"], help="what check-ref finds (default: both)")
    add("--read-lag", type=float, metavar="S", help="seconds until check-ref sees an order (default: 0)")
    add("--duplicate-code", choices=["DUPLICATED_REF", "DUPLICATED-REF"], help="its spelling")
    add("--reuse-after-refund", action="store_true", default=None, help="accept a refunded order's ref again")
    add("--omit-meta", action="store_true", default=None, help="answer without meta")
    add("--omit-request-id", action="store_true", default=None, help="answer without requestId")
    return parser


if __name__ == "__main__":
    sys.exit(main())
