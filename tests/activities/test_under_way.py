"""What a worker has under way is known to the workers beside it the moment it dies, and not before."""

import asyncio
import contextlib
import errno
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from activities import under_way
from activities.under_way import Note, UnderWay

A_NOTE = Note(
    activity="send", worker="1@a-host", workflow_id="topup-order-1", run_id="a-run", task_token=b"\xfftoken\x00"
)
WORKS = f"""
import asyncio, sys
from pathlib import Path
from activities.under_way import Note, UnderWay

async def work():
    with UnderWay(Path(sys.argv[1])) as mine, mine.noted(Note.model_validate_json({A_NOTE.model_dump_json()!r})):
        print("works", flush=True)
        await asyncio.sleep(60)

asyncio.run(work())
"""


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another worker with one activity under way."""
    with subprocess.Popen([sys.executable, "-c", WORKS, str(tmp_path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "works\n"
        yield process
        process.kill()


def _notes(mine: UnderWay) -> list[Note]:
    found: list[Note] = []
    for estate in mine.estates():
        with estate:
            found += estate.notes()
    return found


def _settle(mine: UnderWay) -> None:
    for estate in mine.estates():
        with estate:
            pass


def _until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_worker_that_was_killed_leaves_a_note_of_what_it_had_under_way(
    worker: subprocess.Popen[str], tmp_path: Path
) -> None:
    worker.kill()
    worker.wait()
    with UnderWay(tmp_path) as mine:
        assert _notes(mine) == [A_NOTE]


def test_what_a_dead_worker_left_is_taken_once(worker: subprocess.Popen[str], tmp_path: Path) -> None:
    worker.kill()
    worker.wait()
    with UnderWay(tmp_path) as mine, UnderWay(tmp_path) as other:
        (estate,) = mine.estates()
        assert other.estates() == []
        with estate:
            pass
        assert (mine.estates(), other.estates()) == ([], [])


def test_what_could_not_be_settled_is_still_there_for_the_next(worker: subprocess.Popen[str], tmp_path: Path) -> None:
    worker.kill()
    worker.wait()
    with UnderWay(tmp_path) as mine:
        (estate,) = mine.estates()
        with pytest.raises(ConnectionError), estate:
            raise ConnectionError
        assert _notes(mine) == [A_NOTE]


def test_a_worker_that_works_is_not_taken_for_dead(worker: subprocess.Popen[str], tmp_path: Path) -> None:
    with UnderWay(tmp_path) as mine:
        assert mine.estates() == []
    assert worker.poll() is None


def test_a_frozen_worker_is_not_taken_for_dead(worker: subprocess.Popen[str], tmp_path: Path) -> None:
    os.kill(worker.pid, signal.SIGSTOP)
    with UnderWay(tmp_path) as mine:
        assert mine.estates() == []


def test_a_worker_never_takes_itself_for_dead(tmp_path: Path) -> None:
    with UnderWay(tmp_path) as mine:
        assert mine.estates() == []


def test_a_worker_that_stops_as_asked_leaves_nothing(tmp_path: Path) -> None:
    with UnderWay(tmp_path):
        pass
    with UnderWay(tmp_path) as next_one:
        assert next_one.estates() == []


def test_a_worker_that_breaks_down_leaves_its_notes(tmp_path: Path) -> None:
    async def breaks_down() -> None:
        with UnderWay(tmp_path) as mine, mine.noted(A_NOTE):
            raise ConnectionError

    with pytest.raises(ConnectionError):
        asyncio.run(breaks_down())
    with UnderWay(tmp_path) as next_one:
        assert _notes(next_one) == [A_NOTE]


def test_a_note_that_its_worker_died_over_is_left_out(worker: subprocess.Popen[str], tmp_path: Path) -> None:
    worker.kill()
    worker.wait()
    (folder,) = (path.parent for path in tmp_path.glob("workers/*/alive.lock"))
    (folder / "half.json").write_text('{"activity": "se')
    with UnderWay(tmp_path) as mine:
        assert _notes(mine) == [A_NOTE]


def test_nothing_is_said_of_the_workers_of_another_host_that_shares_the_folder(
    worker: subprocess.Popen[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker.kill()
    worker.wait()
    (tmp_path / "boot_id").write_text("another-host\n")
    monkeypatch.setattr(under_way, "BOOT_ID", tmp_path / "boot_id")
    with UnderWay(tmp_path) as mine:
        assert mine.estates() == []


def test_a_host_without_a_boot_id_goes_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(under_way, "BOOT_ID", tmp_path / "none")
    with UnderWay(tmp_path), UnderWay(tmp_path) as other:
        assert other.estates() == []


async def test_a_note_is_kept_while_the_answer_may_still_be_on_its_way_and_the_newest_one_for_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(under_way, "ANSWERED_SECONDS", 0.05)

    def notes() -> int:
        return len(list(tmp_path.glob("workers/*/*.json")))

    with UnderWay(tmp_path) as mine:
        for _ in range(3):
            with mine.noted(A_NOTE):
                pass
        assert notes() == 3
        await asyncio.to_thread(_until, lambda: notes() == 1)


async def test_a_worker_whose_life_no_lock_can_prove_keeps_no_notes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the workers beside it would take it for dead."""

    def unsupported(*_: object) -> None:
        raise OSError(errno.ENOSYS, "no locks here")

    with monkeypatch.context() as without_locks, contextlib.ExitStack() as stack:
        mine = UnderWay(tmp_path)
        without_locks.setattr(fcntl, "flock", unsupported)
        stack.enter_context(mine)
        stack.enter_context(mine.noted(A_NOTE))
        without_locks.undo()
        with UnderWay(tmp_path) as other:
            assert _notes(other) == []


async def test_an_activity_is_not_concerned_when_no_notes_can_be_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "workers").write_text("a file where the folder should be")
    done = False
    with UnderWay(tmp_path) as mine:
        with mine.noted(A_NOTE):
            done = True
        assert mine.estates() == []
    assert done
    assert "its orders wait some seconds longer" in caplog.text
