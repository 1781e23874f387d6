"""Keys and the payload codec: what is private can't be read, and what can't be read says which key is missing."""

import base64

import pytest
from temporalio.api.common.v1 import Payload

from topups import KeysMissing, SetupNeeded
from topups.encryption import EncryptedPayloads, Keys
from topups.plugin import converter

OLD = base64.b64encode(b"o" * 32).decode()
NEW = base64.b64encode(b"n" * 32).decode()
PLAIN = Payload(metadata={"encoding": b"json/plain"}, data=b'{"phone":"0771234567"}')


def codec(text: str) -> EncryptedPayloads:
    return EncryptedPayloads(Keys.parse(text))


async def test_an_encrypted_payload_shows_nothing_but_the_keys_id() -> None:
    (sealed,) = await codec(f"2026-11:{NEW}").encode([PLAIN])
    assert b"077" not in sealed.SerializeToString()
    assert sealed.metadata["encryption-key-id"] == b"2026-11"
    assert await codec(f"2026-11:{NEW}").decode([sealed]) == [PLAIN]


async def test_the_same_payload_never_looks_the_same_twice() -> None:
    one, other = await codec(f"a:{NEW}").encode([PLAIN, PLAIN])
    assert one.data != other.data


async def test_the_first_key_encrypts_and_every_key_decrypts() -> None:
    (old,) = await codec(f"old:{OLD}").encode([PLAIN])
    both = codec(f"new:{NEW},old:{OLD}")
    (new,) = await both.encode([PLAIN])
    assert new.metadata["encryption-key-id"] == b"new"
    assert await both.decode([old, new]) == [PLAIN, PLAIN]


async def test_what_came_in_plain_passes_through() -> None:
    assert await codec(f"a:{NEW}").decode([PLAIN]) == [PLAIN]


async def test_without_keys_everything_stays_plain() -> None:
    assert await codec("").encode([PLAIN]) == [PLAIN]
    assert await codec("").decode([PLAIN]) == [PLAIN]


def values(payloads: list[Payload]) -> object:
    return converter(Keys({})).payload_converter.from_payloads(payloads)


@pytest.mark.parametrize("keys", ["", f"other:{NEW}", f"a:{OLD}"], ids=["none", "another", "another of the same id"])
async def test_without_the_right_key_the_error_names_its_id_and_the_variable(keys: str) -> None:
    sealed = await codec(f"a:{NEW}").encode([PLAIN])
    with pytest.raises(KeysMissing, match=r"'a'.*TOPUPS_ENCRYPTION_KEYS"):
        await codec(keys).decrypt(sealed)
    # A worker gets past one bad word; only who wants its value is told.
    assert await codec(keys).decode(sealed) == sealed
    with pytest.raises(KeysMissing, match=r"'a'.*TOPUPS_ENCRYPTION_KEYS"):
        values(sealed)


@pytest.mark.parametrize("at", [0, 15, -1], ids=["nonce", "text", "tag"])
async def test_a_payload_that_was_tampered_with_is_refused(at: int) -> None:
    (sealed,) = await codec(f"a:{NEW}").encode([PLAIN])
    data = bytearray(sealed.data)
    data[at] ^= 1
    with pytest.raises(KeysMissing):
        await codec(f"a:{NEW}").decrypt([Payload(metadata=dict(sealed.metadata), data=bytes(data))])


@pytest.mark.parametrize("data", [b"", b"short"])
async def test_a_payload_that_was_cut_off_is_refused(data: bytes) -> None:
    metadata = {"encoding": b"binary/encrypted", "encryption-key-id": b"a"}
    with pytest.raises(KeysMissing):
        await codec(f"a:{NEW}").decrypt([Payload(metadata=metadata, data=data)])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (NEW, "id:base64"),
        (f":{NEW}", "id:base64"),
        ("a:", "32 bytes"),
        ("a:not base64", "32 bytes"),
        (f"a:{base64.b64encode(b'x' * 16).decode()}", "openssl rand -base64 32"),
        (f"a:{NEW},a:{OLD}", "key number 2 is wrong: its id was given twice"),
        (f"a:{NEW},b:{OLD}x", "key number 2"),
    ],
)
def test_a_malformed_key_is_named_by_its_place_and_never_shown(text: str, why: str) -> None:
    with pytest.raises(SetupNeeded, match=why) as caught:
        Keys.parse(text)
    assert NEW not in str(caught.value)
    assert OLD not in str(caught.value)
    assert NEW not in repr(Keys.parse(f"a:{NEW}"))


def test_keys_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOPUPS_ENCRYPTION_KEYS", f"new:{NEW}, old:{OLD},")
    assert list(Keys.from_environment().by_id) == ["new", "old"]
    monkeypatch.delenv("TOPUPS_ENCRYPTION_KEYS")
    assert Keys.from_environment().first is None
