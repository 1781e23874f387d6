"""Private data: phones, the provider's messages and metadata are unreadable in Temporal's storage.

AES-256-GCM over every payload: inputs, results, memos, summaries, details, queries, updates and failures' texts. What
came in plain (a signal typed in the UI, an order from before the keys) passes through. Search attributes can't be
encrypted and hold nothing that names a person.
"""

import base64
import binascii
import os
import re
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from google.protobuf.message import DecodeError
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict
from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import PydanticPayloadConverter
from temporalio.converter import CompositePayloadConverter, EncodingPayloadConverter, PayloadCodec

from topups.errors import KeysMissing, SetupNeeded
from topups.secrets import secret

VARIABLE = "TOPUPS_ENCRYPTION_KEYS"
ENCODING, CIPHER = b"binary/encrypted", b"AES-256-GCM"
KEY_BYTES, NONCE_BYTES, TAG_BYTES = 32, 12, 16
_KEY_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_MAKE_ONE = "make one with `openssl rand -base64 32`"


class EncryptionSettings(BaseSettings):
    """`TOPUPS_ENCRYPTION_KEYS=id:base64[,id:base64]`: the first encrypts, all decrypt. Or a file with that text."""

    model_config = SettingsConfigDict(extra="ignore", populate_by_name=True, env_ignore_empty=True)

    keys: SecretStr | None = Field(default=None, validation_alias=VARIABLE)
    keys_file: Path | None = Field(default=None, validation_alias=f"{VARIABLE}_FILE")


@dataclass(frozen=True, repr=False)
class Keys:
    """Keys of 32 bytes by their ids, the encrypting one first; none leaves everything plain."""

    by_id: dict[str, bytes]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `id:base64[,id:base64]`. Raises SetupNeeded, which never shows a key."""
        by_id: dict[str, bytes] = {}
        for number, part in enumerate(filter(None, (part.strip() for part in text.split(","))), start=1):
            try:
                key_id, key = _parsed(part, by_id)
            except ValueError as error:
                raise SetupNeeded(f"{VARIABLE}: key number {number} is wrong: {error}") from None
            by_id[key_id] = key
        return cls(by_id)

    @classmethod
    def from_environment(cls) -> Self:
        """Read `TOPUPS_ENCRYPTION_KEYS` or the file of `TOPUPS_ENCRYPTION_KEYS_FILE`. Raises SetupNeeded."""
        given = EncryptionSettings()
        return cls.parse(secret(VARIABLE, given.keys, given.keys_file))

    @property
    def first(self) -> str | None:
        """The id of the key that encrypts; None when nothing is encrypted."""
        return next(iter(self.by_id), None)


def _parsed(part: str, others: Container[str]) -> tuple[str, bytes]:
    key_id, _, text = part.partition(":")
    if not _KEY_ID.fullmatch(key_id):
        raise ValueError("it must look like id:base64, the id of letters, digits, `_`, `.` and `-`")
    try:
        key = base64.b64decode(text, validate=True)
    except binascii.Error:
        key = b""
    if len(key) != KEY_BYTES:
        raise ValueError(f"it must be {KEY_BYTES} bytes in base64; {_MAKE_ONE}")
    if key_id in others:
        raise ValueError("its id was given twice")
    return key_id, key


class EncryptedPayloads(PayloadCodec):
    """Encrypts with the first key and decrypts with any."""

    def __init__(self, keys: Keys) -> None:
        self._first = keys.first
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.by_id.items()}

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Encrypt; payloads stay plain where no key was given."""
        if self._first is None:
            return list(payloads)
        return [self._encrypted(payload, self._first) for payload in payloads]

    async def decode(self, payloads: Iterable[Payload]) -> list[Payload]:
        """Decrypt what can be. The rest passes through to `Readable`: one bad signal must not stop an order."""
        return [self._decrypted_or_same(payload) for payload in payloads]

    async def decrypt(self, payloads: Iterable[Payload]) -> list[Payload]:
        """Decrypt. Raises KeysMissing for a key that isn't here, or isn't the right one."""
        return [self._decrypted(payload) for payload in payloads]

    def _encrypted(self, payload: Payload, key_id: str) -> Payload:
        nonce = os.urandom(NONCE_BYTES)
        name = key_id.encode()
        sealed = self._ciphers[key_id].encrypt(nonce, payload.SerializeToString(), name)
        metadata = {"encoding": ENCODING, "encryption-cipher": CIPHER, "encryption-key-id": name}
        return Payload(metadata=metadata, data=nonce + sealed)

    def _decrypted_or_same(self, payload: Payload) -> Payload:
        try:
            return self._decrypted(payload)
        except KeysMissing:
            return payload

    def _decrypted(self, payload: Payload) -> Payload:
        if payload.metadata.get("encoding") != ENCODING:
            return payload
        key_id, name = _key_id(payload), payload.metadata.get("encryption-key-id", b"")
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise _keys_missing(payload)
        try:
            opened = cipher.decrypt(payload.data[:NONCE_BYTES], payload.data[NONCE_BYTES:], name)
            return Payload.FromString(opened)
        except (InvalidTag, ValueError, DecodeError):
            raise _keys_missing(payload) from None


class _Sealed(EncodingPayloadConverter):
    """What is still encrypted where a value is wanted."""

    @property
    def encoding(self) -> str:
        return ENCODING.decode()

    def to_payload(self, value: Any) -> None:
        del value  # nothing of ours is written so

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:
        del type_hint
        raise _keys_missing(payload)


# One for all runs: it remembers how to read each type, and every run makes a converter.
_PYDANTIC = tuple(PydanticPayloadConverter().converters.values())


class Readable(CompositePayloadConverter):
    """Pydantic's converter, which says KeysMissing of a payload that nobody here can decrypt."""

    def __init__(self) -> None:
        super().__init__(_Sealed(), *_PYDANTIC)


def _key_id(payload: Payload) -> str:
    return payload.metadata.get("encryption-key-id", b"").decode(errors="replace")[:64]


def _keys_missing(payload: Payload) -> KeysMissing:
    return KeysMissing(
        f"this is encrypted with the key {_key_id(payload)!r}, and {VARIABLE} lacks it or has another one under that id"
    )
