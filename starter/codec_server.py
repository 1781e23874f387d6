"""Shows encrypted payloads to an operator: the Temporal UI and the `temporal` command ask here to decrypt.

Whoever may ask reads phones and messages, so each request needs the token, and a browser only answers to the UI.
"""

import base64
import binascii
import hmac
import socket
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import uvicorn
from google.protobuf.json_format import MessageToJson, Parse, ParseError
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from temporalio.api.common.v1 import Payload, Payloads

from topups import KeysMissing, SetupNeeded
from topups.encryption import VARIABLE, EncryptedPayloads, Keys
from topups.secrets import secret

BODY_MAX_BYTES = 16 * 1024 * 1024
TOKEN_MIN = 16
CODEC_VARIABLE = "TOPUPS_CODEC_TOKEN"


class CodecSettings(BaseSettings):
    """`TOPUPS_CODEC_TOKEN`, or a file with it: an operator's bearer token, or password in the browser."""

    model_config = SettingsConfigDict(extra="ignore", populate_by_name=True, env_ignore_empty=True)

    token: SecretStr | None = Field(default=None, validation_alias=CODEC_VARIABLE)
    token_file: Path | None = Field(default=None, validation_alias=f"{CODEC_VARIABLE}_FILE")


def given() -> tuple[Keys, str]:
    """Return keys and token from the environment. Raises SetupNeeded where one is missing."""
    keys, settings = Keys.from_environment(), CodecSettings()
    token = secret(CODEC_VARIABLE, settings.token, settings.token_file)
    if keys.first is None:
        raise SetupNeeded(f"there is nothing to decrypt with: set {VARIABLE}=id:base64")
    if len(token) < TOKEN_MIN:
        raise SetupNeeded(f"set {CODEC_VARIABLE} to a secret of at least {TOKEN_MIN} characters: it opens private data")
    return keys, token


def create_app(keys: Keys, token: str, ui: Sequence[str]) -> Starlette:
    """Return the server; `ui` are the addresses of Temporal UIs that browsers may ask from."""
    codec = EncryptedPayloads(keys)
    cors = Middleware(
        CORSMiddleware,
        allow_origins=list(ui),
        allow_credentials=True,
        allow_methods=["POST"],
        allow_headers=["authorization", "content-type", "x-namespace"],
    )

    async def hello(request: Request) -> Response:
        return _refused(request, token) or PlainTextResponse("This browser may now read payloads in the Temporal UI.\n")

    async def decode(request: Request) -> Response:
        return _refused(request, token) or await _answered(request, codec.decrypt)

    async def encode(request: Request) -> Response:
        return _refused(request, token) or await _answered(request, codec.encode)

    routes = [
        Route("/", hello),
        Route("/decode", decode, methods=["POST"]),
        Route("/encode", encode, methods=["POST"]),
    ]
    return Starlette(routes=routes, middleware=[cors])


def _refused(request: Request, token: str) -> Response | None:
    if hmac.compare_digest(_secret(request.headers.get("authorization", "")).encode(), token.encode()):
        return None
    return PlainTextResponse("a token is needed\n", 401, {"www-authenticate": 'Basic realm="topups codec server"'})


def _secret(header: str) -> str:
    kind, _, value = header.partition(" ")
    if kind.lower() != "basic":
        return value.strip() if kind.lower() == "bearer" else ""
    try:
        return base64.b64decode(value, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""


async def _answered(request: Request, translate: Callable[[Sequence[Payload]], Awaitable[list[Payload]]]) -> Response:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > BODY_MAX_BYTES:
            return PlainTextResponse("too large\n", 413)
    try:
        payloads = Parse(bytes(body), Payloads()).payloads
        translated = Payloads(payloads=await translate(payloads))
    except (ParseError, UnicodeDecodeError, RecursionError):
        return PlainTextResponse("payloads in Temporal's JSON are expected\n", 400)
    except KeysMissing as error:
        return PlainTextResponse(f"{error}\n", 400)
    return Response(MessageToJson(translated), media_type="application/json")


async def serve(app: Starlette, host: str, port: int) -> None:
    """Serve until Ctrl-C or SIGTERM. Raises SetupNeeded when the address can't be had."""
    try:
        listening = socket.create_server((host, port))
    except OSError as error:
        raise SetupNeeded(f"{host}:{port} can't be listened on ({error.strerror}); give another --port") from error
    config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=5)
    await uvicorn.Server(config).serve(sockets=[listening])
