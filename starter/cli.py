"""Entry of the `topup` command: run it, flush, and leave with its exit code."""

import contextlib
import importlib
import io
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from starter.session import Session

INTERRUPTED = 130


def run(argv: Sequence[str], session: "Session | None" = None) -> int:
    """Run one command and return its exit code; `starter.exits.ExitCode` lists them.

    `session` is where the command finds its orders; by default what the `TEMPORAL_*` variables name.
    """
    # Loaded here, because Ctrl-C during a second of imports must not end in a traceback.
    app = importlib.import_module("starter.app")
    code: int = app.run(argv, session)
    return code


def main() -> NoReturn:
    """Run the command line's command and end the process with its exit code."""
    _speak_utf8()
    try:
        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        sys.stderr.write("topup: interrupted; nothing was started\n")
        code = INTERRUPTED
    if "topups.traces.tracing" in sys.modules:
        sys.modules["topups.traces.tracing"].flush()
    # The SDK's threads may abort the process while Python finalises: flush, and leave before that.
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _speak_utf8() -> None:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal knows its own encoding; files and pipes get UTF-8 whatever the locale says.
            encoding = stream.encoding if stream.isatty() else "utf-8"
            stream.reconfigure(encoding=encoding, errors="backslashreplace")
