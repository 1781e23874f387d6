"""Structured logs: one JSON object a line on stderr, or plain lines for a person at a terminal."""

import logging
import sys

from pythonjsonlogger.json import JsonFormatter


def set_up_logging(level: int = logging.INFO) -> None:
    """Send all logs to stderr, so that stdout stays clean."""
    handler = logging.StreamHandler(sys.stderr)
    if sys.stderr.isatty():
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S"))
    else:
        handler.setFormatter(
            JsonFormatter(
                "{levelname}{name}{message}",
                style="{",
                rename_fields={"levelname": "level", "name": "logger"},
                timestamp="at",
            )
        )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # One line a request would bury what matters.
    logging.getLogger("httpx").setLevel(logging.WARNING)
