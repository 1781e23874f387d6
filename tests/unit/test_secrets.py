"""A secret comes from a variable or from a file, never from both, and no error shows it."""

import base64
from pathlib import Path

import pytest

from starter import codec_server
from topups import SetupNeeded
from topups.encryption import Keys

KEY = base64.b64encode(b"k" * 32).decode()
TOKEN = "a-token-of-some-length"
NAMES = ("TOPUPS_ENCRYPTION_KEYS", "TOPUPS_CODEC_TOKEN")


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(f"{name}_FILE", raising=False)


@pytest.fixture
def keys_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "keys"
    file.write_text(f"2026-11:{KEY}\n")
    monkeypatch.setenv("TOPUPS_ENCRYPTION_KEYS_FILE", str(file))
    return file


@pytest.fixture
def token_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    monkeypatch.setenv("TOPUPS_CODEC_TOKEN_FILE", str(file))
    return file


def test_keys_and_the_codec_servers_token_come_from_files(keys_file: Path, token_file: Path) -> None:
    keys, token = codec_server.given()
    assert (keys.by_id, token) == ({"2026-11": b"k" * 32}, TOKEN)


def test_an_empty_variable_beside_a_file_is_one_that_is_not_set(
    keys_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOPUPS_ENCRYPTION_KEYS", "")
    assert Keys.from_environment().first == "2026-11"


def test_an_empty_path_is_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOPUPS_ENCRYPTION_KEYS_FILE", "")
    assert Keys.from_environment().first is None


@pytest.mark.parametrize("name", NAMES)
def test_a_secret_given_twice_is_a_wrong_setting(
    keys_file: Path, token_file: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, TOKEN)
    with pytest.raises(SetupNeeded, match=f"set {name} or {name}_FILE, not both") as refusal:
        codec_server.given()
    assert TOKEN not in str(refusal.value)


@pytest.mark.parametrize(
    ("content", "why"),
    [(None, r"can't be read \(FileNotFoundError\)"), (b"\xff", "can't be read"), (b" \n", "is empty")],
)
@pytest.mark.parametrize("name", NAMES)
def test_a_file_without_a_secret_is_a_wrong_setting_and_never_means_none(
    keys_file: Path, token_file: Path, name: str, content: bytes | None, why: str
) -> None:
    file = keys_file if name == "TOPUPS_ENCRYPTION_KEYS" else token_file
    file.unlink() if content is None else file.write_bytes(content)
    with pytest.raises(SetupNeeded, match=f"{name}_FILE: .*{why}"):
        codec_server.given()


def test_a_malformed_key_in_a_file_is_named_by_its_place_and_never_shown(keys_file: Path) -> None:
    keys_file.write_text(f"2026-11:{KEY[:-4]}")
    with pytest.raises(SetupNeeded, match="key number 1 is wrong") as refusal:
        Keys.from_environment()
    assert KEY[:8] not in str(refusal.value)
