"""Which books the worker's client writes in: files of this host, or a database that several hosts share."""

import sys
from pathlib import Path
from typing import Any

import pytest

from oneclickdz.postgresql import PostgreSQLBooks
from topups.settings import WorkerSettings
from worker import WrongSetting, shared_books


def settings(tmp_path: Path, **other: Any) -> WorkerSettings:
    return WorkerSettings(access_token="sandbox-key", state_dir=tmp_path, **other)


@pytest.mark.parametrize("url", [None, ""])
def test_without_a_database_the_books_are_files(tmp_path: Path, url: str | None) -> None:
    with shared_books(settings(tmp_path, state_url=url)) as store:
        assert store is None


def test_a_database_that_is_not_there_yet_does_not_keep_the_worker_from_starting(tmp_path: Path) -> None:
    with shared_books(settings(tmp_path, state_url="postgresql://127.0.0.1:1/books")) as store:
        assert isinstance(store, PostgreSQLBooks)


def test_the_url_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgresql://127.0.0.1:1/books\n")
    with shared_books(settings(tmp_path, state_url_file=tmp_path / "url")) as store:
        assert isinstance(store, PostgreSQLBooks)


def test_what_is_no_url_of_a_database_is_a_wrong_setting(tmp_path: Path) -> None:
    with pytest.raises(WrongSetting, match="TOPUPS_STATE_URL"), shared_books(settings(tmp_path, state_url="books")):
        pass


def test_without_the_driver_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "oneclickdz.postgresql", None)
    given = settings(tmp_path, state_url="postgresql://127.0.0.1:1/books")
    with pytest.raises(WrongSetting, match=r"durable-topups\[postgresql\]"), shared_books(given):
        pass


def test_the_password_of_the_database_is_not_shown(tmp_path: Path) -> None:
    assert "secret" not in repr(settings(tmp_path, state_url="postgresql://topups:secret@127.0.0.1/books"))
