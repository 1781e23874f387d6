"""Structured logs: one JSON object a line on stderr, or plain lines for a person at a terminal.

A line about an order has its `ref` and `workflow_id`, whoever wrote it: the code of an activity or workflow, the
provider's client below it, or Temporal's SDK around it.
"""

import logging
import sys

from pythonjsonlogger.json import JsonFormatter
from temporalio import activity, workflow

from topups.start import ID_PREFIX


class OfWhichOrder(logging.Filter):
    """Puts `ref` and `workflow_id` on what is logged within an activity or a workflow."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every line through."""
        workflow_id = _workflow_id(record)
        if workflow_id is not None:
            record.workflow_id = workflow_id
            if workflow_id.startswith(ID_PREFIX) and not hasattr(record, "ref"):
                record.ref = workflow_id.removeprefix(ID_PREFIX)
        return True


def _workflow_id(record: logging.LogRecord) -> str | None:
    if activity.in_activity():
        return activity.info().workflow_id
    if workflow.in_workflow():
        return workflow.info().workflow_id
    # The SDK also tells of a workflow's task from outside, and adds whose it was.
    details = getattr(record, "temporal_workflow", None)
    return details.get("workflow_id") if isinstance(details, dict) else None


def set_up_logging(level: int = logging.INFO) -> None:
    """Send all logs to stderr, so that stdout stays clean."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(OfWhichOrder())
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
