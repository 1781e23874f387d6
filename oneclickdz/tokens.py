"""Where the access token comes from."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from oneclickdz.errors import TokenMissing

REREAD_AFTER_SECONDS = 10.0
_LONGEST = 512


class TokenSource(Protocol):
    """Anything that can name the token to use now."""

    def read(self) -> str:
        """The token. Called for each request: it may read a small file, and must wait for nothing else.

        Raises TokenMissing with a sentence that says what to set.
        """
        ...


class StaticToken:
    """A token that stays the same for the life of the process."""

    def __init__(self, token: str) -> None:
        self._token = token

    def read(self) -> str:
        """The token. Raises TokenMissing when it is empty or not one line of plain ASCII."""
        return usable(self._token, where="ONECLICKDZ_ACCESS_TOKEN")

    def __repr__(self) -> str:
        return "StaticToken(•••)"


class FileToken:
    """A token in a file that somebody may replace; read again once it is older than 10 s."""

    def __init__(self, path: Path | str, *, now: Callable[[], float] = time.monotonic) -> None:
        self._path = Path(path)
        self._now = now
        self._token = ""
        self._read_at: float | None = None

    def read(self) -> str:
        """The token in the file, at most 10 s old. Raises TokenMissing when there is none."""
        if self._read_at is None or self._now() - self._read_at >= REREAD_AFTER_SECONDS:
            self._token = self._fresh()
            self._read_at = self._now()
        return self._token

    def _fresh(self) -> str:
        where = f"the file {self._path} (ONECLICKDZ_ACCESS_TOKEN_FILE)"
        try:
            text = self._path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as problem:
            raise TokenMissing(
                f"No access token: {where} can't be read ({type(problem).__name__}). "
                "Write a valid key into it; it is read again every 10 s."
            ) from None
        return usable(text, where=where)

    def __repr__(self) -> str:
        return f"FileToken({str(self._path)!r})"


def usable(text: str, *, where: str) -> str:
    """The token without surrounding blanks. Raises TokenMissing unless it can stand in an HTTP header."""
    token = text.strip()
    if not token:
        raise TokenMissing(f"No access token: {where} is empty. Put a key of the OneClickDZ dashboard there.")
    # A header library would quote an impossible value, and so the token, in its exception.
    if len(token) > _LONGEST or not all("!" <= sign <= "~" for sign in token):
        raise TokenMissing(
            f"The access token in {where} is not one line of plain ASCII characters. "
            "Copy the key again from the OneClickDZ dashboard."
        )
    return token


def fingerprint(token: str) -> str:
    """A name for the key that does not give it away: 16 hex digits of its SHA-256."""
    return hashlib.sha256(token.encode()).hexdigest()[:16]
