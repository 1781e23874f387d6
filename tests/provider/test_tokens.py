"""Where the key comes from, and what happens when it changes or is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from oneclickdz import CredentialsRefused, FileToken, KeyClosed, StaticToken, TokenMissing
from tests.provider.stand_in import Clock, Kit, Provider, error, whose_key


def test_blanks_around_a_key_do_not_count() -> None:
    assert StaticToken(" key \n").read() == "key"


@pytest.mark.parametrize("text", ["", " \n", "two\nlines", "two words", "clé", "k" * 513])
def test_a_key_that_no_header_can_hold_is_missing(text: str) -> None:
    with pytest.raises(TokenMissing, match="ONECLICKDZ_ACCESS_TOKEN") as caught:
        StaticToken(text).read()
    assert caught.value.reason == "credentials"
    assert not text.strip() or text not in str(caught.value)


def test_a_key_file_is_read_again_after_ten_seconds(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "key"
    path.write_text("first\n")
    token = FileToken(path, now=clock.now)
    assert token.read() == "first"
    path.write_text("second\n")
    clock.seconds += 9.9
    assert token.read() == "first"
    clock.seconds += 0.1
    assert token.read() == "second"


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe"])
def test_a_key_file_without_a_key_says_what_to_do(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "key"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(TokenMissing, match="ONECLICKDZ_ACCESS_TOKEN_FILE"):
        FileToken(path).read()


def test_a_source_does_not_show_its_key(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("secret")
    file = FileToken(tmp_path / "key")
    assert file.read() == "secret"
    assert "secret" not in repr(file) + repr(StaticToken("secret"))


async def test_without_a_key_nothing_leaves(kit: Kit) -> None:
    with pytest.raises(TokenMissing):
        await kit.client(token="").balance()
    assert kit.provider.requests == []


async def test_a_new_key_goes_on_at_once(kit: Kit, provider: Provider, clock: Clock, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("revoked")
    provider.say("/validate", error(401, "INVALID_ACCESS_TOKEN"), whose_key())
    provider.say("/account/balance", kit.ok({"balance": 5}))
    client = kit.client(token=FileToken(path, now=clock.now))
    with pytest.raises(CredentialsRefused):
        await client.balance()
    clock.seconds += 10
    with pytest.raises(KeyClosed):
        await client.balance()
    assert len(provider.requests) == 1
    path.write_text("fresh")
    clock.seconds += 10
    assert await client.balance() == 5
    path.write_text("revoked")
    clock.seconds += 10
    with pytest.raises(KeyClosed):
        await client.balance()
    assert [request.headers["x-access-token"] for request in provider.requests] == ["revoked", "fresh", "fresh"]
