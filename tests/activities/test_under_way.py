"""What a worker has under way is known to the workers beside it the moment it dies, and not before."""

import asyncio
import contextlib
import errno
import fcntl
import os
import shutil
import signal
from pathlib import Path

import pytest

from activities import under_way
from activities.under_way import Note, UnderWay
from tests.activities.beside import A_NOTE, HERE, Worker, folder_of, until

NO_LOCKS = OSError(errno.ENOSYS, "no locks here")


def _notes(mine: UnderWay) -> list[Note]:
    """All notes of the dead, whose estates are then left as they are."""
    estates = mine.estates()
    for estate in estates:
        estate.close()
    return [note for estate in estates for note in estate.notes]


@pytest.mark.usefixtures("dead")
def test_a_worker_that_was_killed_leaves_a_note_of_what_it_had_under_way(tmp_path: Path) -> None:
    with UnderWay(tmp_path, HERE) as mine:
        assert _notes(mine) == [A_NOTE]


@pytest.mark.usefixtures("dead")
def test_what_a_dead_worker_left_is_taken_by_one_alone_and_gone_when_it_is_settled(tmp_path: Path) -> None:
    with UnderWay(tmp_path, HERE) as mine, UnderWay(tmp_path, HERE) as other:
        (estate,) = mine.estates()
        assert other.estates() == []
        mine.remove(estate)
        assert (mine.estates(), other.estates()) == ([], [])


@pytest.mark.usefixtures("dead")
def test_what_could_not_be_settled_is_there_for_the_next_look(tmp_path: Path) -> None:
    with UnderWay(tmp_path, HERE) as mine, UnderWay(tmp_path, HERE) as other:
        assert _notes(mine) == _notes(other) == [A_NOTE]


@pytest.mark.usefixtures("worker")
def test_a_worker_that_works_is_not_taken_for_dead(tmp_path: Path) -> None:
    with UnderWay(tmp_path, HERE) as mine:
        assert mine.estates() == []


def test_a_frozen_worker_is_not_taken_for_dead(worker: Worker, tmp_path: Path) -> None:
    os.kill(worker.pid, signal.SIGSTOP)
    with UnderWay(tmp_path, HERE) as mine:
        assert mine.estates() == []


@pytest.mark.usefixtures("worker")
def test_nobody_answers_for_a_worker_whose_lock_somebody_removed(tmp_path: Path) -> None:
    (folder_of(tmp_path) / "alive.lock").unlink()
    with UnderWay(tmp_path, HERE) as mine:
        assert _notes(mine) == []


@pytest.mark.usefixtures("worker")
def test_nobody_answers_for_a_worker_whose_folder_was_copied(tmp_path: Path) -> None:
    shutil.copytree(tmp_path, tmp_path / "copy")
    with UnderWay(tmp_path / "copy", HERE) as mine:
        assert _notes(mine) == []


@pytest.mark.usefixtures("dead")
def test_nobody_answers_for_a_worker_of_another_namespace_nor_takes_its_notes_away(tmp_path: Path) -> None:
    with UnderWay(tmp_path, "localhost:7233 production") as mine:
        assert mine.estates() == []
    with UnderWay(tmp_path, HERE) as its_peer:
        assert _notes(its_peer) == [A_NOTE]


def test_nobody_answers_for_a_worker_of_before_this_boot_whose_notes_are_cleared_away(
    dead: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "boot_id").write_text("another-boot\n")
    monkeypatch.setattr(under_way, "BOOT_ID", tmp_path / "boot_id")
    with UnderWay(tmp_path, HERE) as mine:
        (estate,) = mine.estates()
        assert estate.notes == []
        mine.remove(estate)
    assert not dead.exists()


@pytest.mark.usefixtures("dead")
def test_nobody_answers_for_what_began_so_long_ago_that_the_time_outs_have_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(under_way, "OLD_SECONDS", 0.0)
    with UnderWay(tmp_path, HERE) as mine:
        assert _notes(mine) == []


@pytest.mark.parametrize("text", ['{"at": 1, "no', '{"at": 1, "lock": 1, "note": {"activity": "of a newer version"}}'])
def test_a_note_that_can_not_be_read_is_left_out(dead: Path, tmp_path: Path, text: str) -> None:
    (dead / "half.json").write_text(text)
    with UnderWay(tmp_path, HERE) as mine:
        assert _notes(mine) == [A_NOTE]


def test_a_worker_never_takes_itself_for_dead(tmp_path: Path) -> None:
    with UnderWay(tmp_path, HERE) as mine:
        assert mine.estates() == []


def test_a_worker_that_stops_as_asked_leaves_nothing(tmp_path: Path) -> None:
    with UnderWay(tmp_path, HERE):
        assert list(tmp_path.glob("workers/*/alive.lock")) != []
    assert [path.name for path in tmp_path.glob("workers/*")] == ["door.lock"]


def test_a_worker_that_breaks_down_keeps_its_notes_and_its_lock_as_long_as_its_process_lives(tmp_path: Path) -> None:
    mine = UnderWay(tmp_path, HERE)

    async def breaks_down() -> None:
        with mine, mine.noted(A_NOTE):
            raise ConnectionError

    with pytest.raises(ConnectionError):
        asyncio.run(breaks_down())
    with UnderWay(tmp_path, HERE) as other:
        assert other.estates() == []


def test_a_host_without_a_boot_id_goes_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(under_way, "BOOT_ID", tmp_path / "none")
    with UnderWay(tmp_path, HERE), UnderWay(tmp_path, HERE) as other:
        assert other.estates() == []


async def test_a_note_is_kept_while_the_answer_may_still_be_on_its_way_and_the_newest_one_for_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(under_way, "ANSWERED_SECONDS", 0.5)

    def notes() -> int:
        return len(list(tmp_path.glob("workers/*/*.json")))

    with UnderWay(tmp_path, HERE) as mine:
        for _ in range(3):
            with mine.noted(A_NOTE):
                pass
        await asyncio.to_thread(until, lambda: notes() == 3)
        await asyncio.to_thread(until, lambda: notes() == 1)


@pytest.mark.parametrize("locks", [0, 1], ids=["the door's", "its own"])
def test_a_worker_whose_life_no_lock_can_prove_keeps_no_notes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, locks: int
) -> None:
    """Else the workers beside it would take it for dead."""
    flock, left = fcntl.flock, iter(range(locks))

    def some(descriptor: int, operation: int) -> None:
        if operation != fcntl.LOCK_UN and next(left, None) is None:
            raise NO_LOCKS
        flock(descriptor, operation)

    mine = UnderWay(tmp_path, HERE)
    with contextlib.ExitStack() as stack:
        monkeypatch.setattr(fcntl, "flock", some)
        stack.enter_context(mine)
        monkeypatch.undo()
        stack.enter_context(mine.noted(A_NOTE))
        with UnderWay(tmp_path, HERE) as other:
            assert _notes(other) == []
    assert list(tmp_path.glob("workers/*/*.json")) == []


def test_an_activity_is_not_concerned_when_no_notes_can_be_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "workers").write_text("a file where the folder should be")
    done = False
    with UnderWay(tmp_path, HERE) as mine:
        with mine.noted(A_NOTE):
            done = True
        assert mine.estates() == []
    assert done
    assert "its orders wait some seconds longer" in caplog.text


async def test_an_activity_is_not_concerned_when_its_note_can_not_be_written(tmp_path: Path) -> None:
    done = False
    with UnderWay(tmp_path, HERE) as mine:
        shutil.rmtree(tmp_path / "workers")
        with mine.noted(A_NOTE):
            done = True
    assert done
