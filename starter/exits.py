"""Exit codes of the `topup` command: which error means which, and what to do next."""

from enum import IntEnum

from pydantic import ValidationError

from topups import (
    InvalidTopUp,
    NoSuchOrder,
    NotAllowed,
    NotConfirmed,
    OrderInterrupted,
    RefConflict,
    SetupNeeded,
    StillOpen,
    TemporalUnreachable,
)
from topups.books.reconciling import ReconciliationFailed


class ExitCode(IntEnum):
    """Fixed: others script against these."""

    DONE = 0
    UNEXPECTED = 1
    BAD_INPUT = 2
    NOT_DELIVERED = 3
    STILL_OPEN = 4
    REF_CONFLICT = 5
    NO_SUCH_ORDER = 6
    UNREACHABLE = 7
    NO_WORKER = 8
    REFUSED = 9
    INTERRUPTED = 130


_CODES: tuple[tuple[type[Exception], ExitCode, str], ...] = (
    (InvalidTopUp, ExitCode.BAD_INPUT, "nothing was started; mend it and run it again (--help shows an example)"),
    (ValidationError, ExitCode.BAD_INPUT, "nothing was started; mend the setting and run it again"),
    (RefConflict, ExitCode.REF_CONFLICT, "nothing was started; `topup status REF` shows the order that has this ref"),
    (NoSuchOrder, ExitCode.NO_SUCH_ORDER, "`topup list` shows the orders of this namespace"),
    (NotAllowed, ExitCode.REFUSED, "nothing changed; `topup status REF` shows where the order stands"),
    (NotConfirmed, ExitCode.NO_WORKER, "see that a worker runs (`python worker.py`), then run the same again"),
    (StillOpen, ExitCode.STILL_OPEN, "`topup watch REF` shows it"),
    (
        TemporalUnreachable,
        ExitCode.UNREACHABLE,
        "see that Temporal runs at WHERE (TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE), then run the same again",
    ),
    (OrderInterrupted, ExitCode.UNEXPECTED, "`topup list` shows the other orders"),
    (ReconciliationFailed, ExitCode.UNEXPECTED, "nothing was changed; see the provider and the worker's log"),
    (SetupNeeded, ExitCode.UNEXPECTED, "then run the same again"),
)


def explain(error: Exception) -> tuple[ExitCode, list[str], str] | None:
    """Return an expected error's exit code, its sentences and what to do next; None for an unexpected one."""
    for kind, code, hint in _CODES:
        if isinstance(error, kind):
            return code, sentences(error), hint
    return None


def sentences(error: Exception) -> list[str]:
    """One sentence for each thing that is wrong."""
    match error:
        case InvalidTopUp():
            return [f"{field}: {sentence}" for field, sentence in error.problems.items()]
        case ValidationError():
            found = error.errors(include_url=False, include_input=False, include_context=False)
            return [f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in found]
        case _:
            return [str(error)]
