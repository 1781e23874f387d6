"""Secrets by environment or by file; what goes wrong never shows them."""

import base64
from pathlib import Path

import pytest

from starter import codec_server
from topups import SetupNeeded
from topups.encryption import Keys

KEY = "2026-11:" + base64.b64encode(b"k" * 32).decode()
TOKEN = "a-token-of-some-length"


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TOPUPS_ENCRYPTION_KEYS", "TOPUPS_CODEC_TOKEN"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(f"{name}_FILE", raising=False)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Both secrets in files, as a compose file's `secrets:` gives them."""
    for name, text in (("TOPUPS_ENCRYPTION_KEYS", KEY), ("TOPUPS_CODEC_TOKEN", TOKEN)):
        file = tmp_path / name
        file.write_text(f"{text}\n", encoding="utf-8")
        monkeypatch.setenv(f"{name}_FILE", str(file))
    return tmp_path


def test_keys_and_token_come_from_files(files: Path) -> None:
    assert Keys.from_environment().first == "2026-11"
    keys, token = codec_server.given()
    assert (keys.first, token) == ("2026-11", TOKEN)


def test_an_empty_variable_beside_a_file_is_one_that_is_not_set(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOPUPS_ENCRYPTION_KEYS", "")
    assert Keys.from_environment().first == "2026-11"


def test_an_empty_path_is_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOPUPS_ENCRYPTION_KEYS", KEY)
    monkeypatch.setenv("TOPUPS_ENCRYPTION_KEYS_FILE", "")
    assert Keys.from_environment().first == "2026-11"


def test_a_secret_that_is_given_twice_is_a_wrong_setting(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOPUPS_ENCRYPTION_KEYS", KEY)
    with pytest.raises(SetupNeeded, match="set TOPUPS_ENCRYPTION_KEYS or TOPUPS_ENCRYPTION_KEYS_FILE, not both"):
        Keys.from_environment()


def test_a_file_that_is_not_there_is_named_with_its_variable(files: Path) -> None:
    (files / "TOPUPS_ENCRYPTION_KEYS").unlink()
    with pytest.raises(SetupNeeded, match=r"TOPUPS_ENCRYPTION_KEYS_FILE: .* can't be read \(FileNotFoundError\)"):
        Keys.from_environment()
