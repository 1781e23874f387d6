"""What an act on many orders shows: the orders before it, a question, a bar meanwhile. All but results on stderr."""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from starter.display import rows_table, span
from starter.many import Chosen, End, Result
from starter.output import console, note, print_block, print_json, said


def print_chosen(chosen: Chosen, name: str, seconds: float, *, json: bool) -> None:
    """Print what a dry run says: the orders, how long it would take, and which others are left alone."""
    if json:
        for row in chosen.rows:
            print_json(Result(ref=row.ref, phase=row.phase, outcome=End.DRY_RUN))
    elif chosen.rows:
        out = console()
        print_block(rows_table(chosen.rows, out, datetime.now(UTC)), out)
    note(f"dry run: would {name} {_orders(len(chosen.rows))}{_about(chosen, seconds)}; nothing was done")
    print_left(chosen)


def print_left(chosen: Chosen) -> None:
    """Say on stderr which orders match and are left alone."""
    for (phase, why), count in sorted(chosen.left.items()):
        note(f"left alone: {count} {phase}: {why}")


def agreed(chosen: Chosen, name: str, seconds: float) -> bool:
    """Ask on the terminal whether to go on. Raises KeyboardInterrupt for Ctrl-C."""
    err = console(stderr=True)
    question = f"{name} {_orders(len(chosen.rows))}{_about(chosen, seconds)}?"
    err.print(Text(question, "bold").append(" [y/N] ", ""), end="", soft_wrap=True)
    # asyncio's own handler would only note a Ctrl-C, and the read would go on.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return sys.stdin.readline().strip().lower() in {"y", "yes"}
    finally:
        signal.signal(signal.SIGINT, before)


def _orders(count: int) -> str:
    return "1 order" if count == 1 else f"{count} orders"


def _about(chosen: Chosen, seconds: float) -> str:
    phases = {row.phase: sum(other.phase is row.phase for other in chosen.rows) for row in chosen.rows}
    if not phases:
        return ""
    return f" ({', '.join(f'{count} {phase}' for phase, count in phases.items())}; at least {span(seconds)})"


@contextmanager
def progress(total: int, name: str, *, json: bool) -> Iterator[Callable[[Result], None]]:
    """Show a bar on a terminal; yield what is to be told of each result."""
    err = console(stderr=True)
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=err,
        # JSON goes on to stdout meanwhile; on one and the same terminal the two would write over each other.
        disable=not err.is_terminal or (json and sys.stdout.isatty()),
        redirect_stdout=False,
        transient=True,
    )
    with bar:
        task = bar.add_task(name, total=total)

        def show(result: Result) -> None:
            bar.advance(task)
            if json:
                print_json(result)
            elif result.outcome is not End.DONE:
                _complain(result, err)

        yield show


def _complain(result: Result, err: Console) -> None:
    line = Text(f"{result.ref}: ", "bold red").append(said(result.why or result.outcome, err), "")
    err.print(line, soft_wrap=True)
