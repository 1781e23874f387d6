"""The demo: real processes on this machine, `kill -9` in the middle, and a judge who reads the provider's ledger."""

import asyncio
import io
import json
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.text import Text

from starter.demo import orders
from starter.demo.board import Board
from starter.demo.player import Player, TooLong
from starter.demo.screens import LiveScreen, PlainScreen, acts, report
from starter.demo.stage import Stage, new_folder, run_worker
from starter.demo.verdict import Verdict, judge, read_ledger
from starter.local import DevServer, NoTemporal, temporal_program
from starter.output import complain, console
from starter.processes import NotReady
from topups import TopUpError, TopUps, TopUpView

# Of the picture, in columns.
PICTURE_WIDTH = 128
PLAY_SECONDS = 90.0
NOT_CLEAN, INTERRUPTED = 1, 130


def run(*, keep: bool, json_output: bool = False, picture: Path | None = None) -> int:
    """Play the demo. Return 0 only if every order reached one true end, 130 after Ctrl-C.

    `keep` leaves everything running afterwards and says how to stop it. `json_output` prints one object on stdout
    and all else on stderr. `picture` is the SVG file to draw the end into.
    """
    shown = console(stderr=json_output)
    try:
        board, verdict = asyncio.run(_run(shown, keep=keep))
    except KeyboardInterrupt:
        complain(["interrupted; everything that the demo had started is stopped"])
        return INTERRUPTED
    except (NoTemporal, NotReady, TopUpError) as error:
        complain([str(error)])
        return NOT_CLEAN
    if json_output:
        sys.stdout.write(json.dumps(verdict.as_json(), ensure_ascii=False) + "\n")
    if picture:
        draw(board, verdict, picture)
    return 0 if verdict.clean else NOT_CLEAN


def draw(board: Board, verdict: Verdict, picture: Path) -> None:
    """Draw what was done and how it ended into an SVG file."""
    canvas = Console(record=True, width=PICTURE_WIDTH, file=io.StringIO(), force_terminal=True, highlight=False)
    acts(board, canvas)
    report(board, verdict, canvas)
    canvas.save_svg(str(picture), title="make demo")


async def _run(shown: Console, *, keep: bool) -> tuple[Board, Verdict]:
    folder = new_folder()
    stage = Stage(folder, DevServer(await temporal_program(), folder, tied=not keep), tied=not keep)
    is_kept = False
    try:
        board, verdict = await _play(stage, shown)
        report(board, verdict, shown)
        is_kept = keep
        return board, verdict
    finally:
        if is_kept:
            _leave(stage, shown)
        else:
            await stage.end()
            shutil.rmtree(folder, ignore_errors=True)


async def _play(stage: Stage, shown: Console) -> tuple[Board, Verdict]:
    shown.print(Text("Starting a Temporal server, a stand-in provider and a worker …", "dim"))
    await stage.start()
    worker = stage.worker()
    await run_worker(worker)
    topups = await stage.topups()
    screen = LiveScreen(shown) if shown.is_terminal else PlainScreen(shown)
    board = Board(screen, tuple(request.ref for request in orders.ALL))
    shown.print(Text("Temporal's UI: ", "dim").append(stage.server.ui_url, "not dim underline"))
    if isinstance(screen, LiveScreen):
        screen.show(board)
    try:
        await Player(stage, topups, worker, board).play(PLAY_SECONDS)
    except TooLong as error:
        board.act(str(error), blow=True)
    finally:
        if isinstance(screen, LiveScreen):
            screen.hide()
    return board, judge(read_ledger(stage.ledger), board.refs, await _results(topups, board.refs))


async def _results(topups: TopUps, refs: Iterable[str]) -> list[TopUpView]:
    """What our side says in the end, asked anew; an order that can't be asked has no result."""
    asked = await asyncio.gather(*(topups.order(ref).view() for ref in refs), return_exceptions=True)
    return [view for view in asked if isinstance(view, TopUpView)]


def _leave(stage: Stage, shown: Console) -> None:
    for process in stage.processes:
        process.leave_running()
    pids = " ".join(str(process.pid) for process in stage.processes if process.running)
    lines = [
        f"Everything is still running, in {stage.folder}.",
        f"  Temporal's UI:  {stage.server.ui_url}",
        f"  its orders:     TEMPORAL_ADDRESS={stage.server.address} topup list",
        f"  to stop it:     kill {pids} && rm -r {stage.folder}",
    ]
    shown.print(Text("\n".join(lines)), soft_wrap=True)
