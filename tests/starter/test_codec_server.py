"""The codec server: an operator with the token reads, everybody else learns nothing."""

import base64
import json
from typing import Any

import httpx
import pytest

from starter.cli import run
from starter.codec_server import BODY_MAX_BYTES, create_app
from topups.encryption import Keys

TOKEN = "a-token-of-some-length"
UI = "http://temporal-ui:8080"
KEYS = Keys({"2026-11": b"k" * 32})
PLAIN = {
    "metadata": {"encoding": base64.b64encode(b"json/plain").decode()},
    "data": base64.b64encode(b'"0771234567"').decode(),
}


@pytest.fixture
def server() -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(create_app(KEYS, TOKEN, [UI])), base_url="http://codec")


BEARER = {"authorization": f"Bearer {TOKEN}"}
BASIC = {"authorization": "Basic " + base64.b64encode(f"fatima:{TOKEN}".encode()).decode()}


async def _encoded(server: httpx.AsyncClient) -> dict[str, Any]:
    answer = await server.post("/encode", json={"payloads": [PLAIN]}, headers=BEARER)
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize("auth", [BEARER, BASIC], ids=["bearer", "browser"])
async def test_an_operator_with_the_token_reads(server: httpx.AsyncClient, auth: dict[str, str]) -> None:
    sealed = await _encoded(server)
    assert PLAIN not in sealed["payloads"]
    answer = await server.post("/decode", json=sealed, headers=auth)
    assert answer.json() == {"payloads": [PLAIN]}
    assert (await server.get("/", headers=auth)).status_code == 200


@pytest.mark.parametrize(
    "auth", ["", "Bearer", "Bearer wrong", "Basic !!!", "Basic " + base64.b64encode(b"a:b").decode(), TOKEN]
)
@pytest.mark.parametrize("path", ["/decode", "/encode", "/"])
async def test_everybody_else_learns_nothing(server: httpx.AsyncClient, auth: str, path: str) -> None:
    sealed = await _encoded(server)
    answer = await server.request("GET" if path == "/" else "POST", path, json=sealed, headers={"authorization": auth})
    assert answer.status_code == 401
    assert "www-authenticate" in answer.headers
    assert "0771234567" not in answer.text


async def test_only_the_ui_may_ask_from_a_browser(server: httpx.AsyncClient) -> None:
    asks = {"access-control-request-method": "POST", "access-control-request-headers": "authorization,content-type"}
    ours = await server.options("/decode", headers={"origin": UI, **asks})
    assert ours.headers["access-control-allow-origin"] == UI
    assert ours.headers["access-control-allow-credentials"] == "true"
    other = await server.options("/decode", headers={"origin": "http://elsewhere", **asks})
    assert "access-control-allow-origin" not in other.headers


async def test_what_cannot_be_decrypted_says_which_key_is_missing(server: httpx.AsyncClient) -> None:
    other = httpx.ASGITransport(create_app(Keys({"other": b"o" * 32}), TOKEN, [UI]))
    sealed = await _encoded(server)
    async with httpx.AsyncClient(transport=other, base_url="http://codec") as stranger:
        answer = await stranger.post("/decode", json=sealed, headers=BEARER)
    assert (answer.status_code, "2026-11" in answer.text) == (400, True)


@pytest.mark.parametrize(
    "body", [b"", b"[" * 100_000, b"{", b'{"payloads": 3}', b'{"payloads": [{"data": "\xff"}]}', b"\xff\xfe"]
)
async def test_a_body_that_makes_no_sense_is_refused(server: httpx.AsyncClient, body: bytes) -> None:
    assert (await server.post("/decode", content=body, headers=BEARER)).status_code == 400


async def test_a_body_without_end_is_refused(server: httpx.AsyncClient) -> None:
    body = json.dumps({"payloads": [], "x": "x" * BODY_MAX_BYTES}).encode()
    assert (await server.post("/decode", content=body, headers=BEARER)).status_code == 413


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({}, "TOPUPS_ENCRYPTION_KEYS"),
        ({"TOPUPS_ENCRYPTION_KEYS": "a:" + base64.b64encode(b"k" * 32).decode()}, "TOPUPS_CODEC_TOKEN"),
        (
            {
                "TOPUPS_ENCRYPTION_KEYS": "a:" + base64.b64encode(b"k" * 32).decode(),
                "TOPUPS_CODEC_TOKEN": "short",
            },
            "16 characters",
        ),
    ],
)
def test_it_does_not_start_without_keys_and_a_token(
    settings: dict[str, str], named: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("TOPUPS_ENCRYPTION_KEYS", "TOPUPS_CODEC_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    assert run(["codec-server"]) == 1
    assert named in " ".join(capsys.readouterr().err.split())
