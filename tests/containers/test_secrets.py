"""With docker-compose.secrets.yml no secret stands in a container's environment, and only its readers can read it."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import docker
import httpx
import pytest

from tests.containers.conftest import Stack, running
from topups import Phase, TopUpRequest
from topups.encryption import Keys

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(400)]

KEY = base64.b64encode(b"k" * 32).decode()
TOKEN = "the-token-of-the-codec-server"
SECRETS = {
    "postgres_password": "a-password;with'$signs&more",
    "oneclickdz_access_token": "sandbox-key",
    "topups_encryption_keys": f"2026-11:{KEY}",
    "topups_codec_token": TOKEN,
}
PHONE = "0771234567"


@pytest.fixture(scope="module")
def stack(engine: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder: Path = tmp_path_factory.mktemp("secrets")
    for name, secret in SECRETS.items():
        (folder / name).write_text(secret + "\n")
    made = Stack(
        "topups-secrets-test",
        ("docker-compose.yml", "docker-compose.secrets.yml"),
        {
            "SECRETS_DIR": str(folder),
            "COMPOSE_PROFILES": "sandbox,codec",
            "ONECLICKDZ_ACCESS_TOKEN": "",
            "TOPUPS_CODEC_ENDPOINT": "http://localhost:8081",
        },
    )
    with running(engine, made) as stack:
        yield stack


async def test_an_order_is_delivered_and_read_by_who_has_the_token(stack: Stack) -> None:
    topups = await stack.topups(Keys.parse(SECRETS["topups_encryption_keys"]))
    order = await topups.submit(TopUpRequest(ref="secret", plan_code="PREPAID_DJEZZY", phone=PHONE, amount=500))
    assert (await order.result(timeout=120)).phase is Phase.FULFILLED
    history = await topups.client.get_workflow_handle("topup-secret").fetch_history()
    [sealed, *_] = history.events[0].workflow_execution_started_event_attributes.input.payloads
    assert PHONE.encode() not in b"".join(event.SerializeToString() for event in history.events)
    body = {
        "payloads": [
            {
                "metadata": {name: base64.b64encode(value).decode() for name, value in sealed.metadata.items()},
                "data": base64.b64encode(sealed.data).decode(),
            }
        ]
    }
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{stack.env['CODEC_PORT']}", trust_env=False) as codec:
        assert (await codec.post("/decode", json=body)).status_code == 401
        asks = {"authorization": f"Bearer {TOKEN}", "origin": f"http://localhost:{stack.env['UI_PORT']}"}
        answer = await codec.post("/decode", json=body, headers=asks)
        stranger = await codec.post("/decode", json=body, headers=asks | {"origin": "http://elsewhere"})
    assert PHONE in base64.b64decode(answer.json()["payloads"][0]["data"]).decode()
    assert answer.headers["access-control-allow-origin"] == asks["origin"]
    assert "access-control-allow-origin" not in stranger.headers


async def test_the_command_inside_reads_encrypted_orders(stack: Stack) -> None:
    send = "topup send --ref inside --plan PREPAID_DJEZZY --phone 0771234567 --amount 500 --wait 100 --json"
    assert json.loads(stack.docker("exec", "-T", "worker", *send.split()))["phone"] == PHONE


async def test_the_ui_tells_a_browser_where_to_decrypt(stack: Stack) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{stack.env['UI_PORT']}", trust_env=False) as ui:
        codec = (await ui.get("/api/v1/settings")).json()["Codec"]
    assert (codec["Endpoint"], codec["IncludeCredentials"]) == ("http://localhost:8081", True)


async def test_no_secret_stands_in_an_environment_or_a_log(stack: Stack, engine: docker.DockerClient) -> None:
    project = {"label": f"com.docker.compose.project={stack.project}"}
    containers = engine.containers.list(all=True, filters=project)
    assert len(containers) > len(SECRETS)
    seen = "".join(json.dumps(container.attrs["Config"]) + container.logs().decode() for container in containers)
    assert [name for name, secret in SECRETS.items() if secret.split(":")[-1] in seen] == []
