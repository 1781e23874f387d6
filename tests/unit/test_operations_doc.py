"""What docs/operations.md shows can be read by Temporal's SDK as it stands."""

import re
from pathlib import Path

import pytest
from temporalio.envconfig import ClientConfigProfile

DOC = Path(__file__).parents[2] / "docs" / "operations.md"


def profile(name: str) -> ClientConfigProfile:
    found = re.search(r"```toml\n(.*?)```", DOC.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    return ClientConfigProfile.load(profile=name, config_source=found[1], override_env_vars={}, config_file_strict=True)


@pytest.mark.parametrize(("name", "address"), [("cloud", "aws.api.temporal.io"), ("own", "temporal.internal")])
def test_a_profile_names_its_server_and_namespace(name: str, address: str) -> None:
    shown = profile(name)
    assert address in (shown.address or "")
    assert (shown.namespace or "").startswith("topups-production")


def test_the_profiles_prove_who_asks() -> None:
    assert profile("cloud").api_key is not None
    tls = profile("cloud-mtls").tls
    assert tls is not None
    assert (tls.client_cert, tls.client_private_key) == (Path("/etc/topups/client.pem"), Path("/etc/topups/client.key"))
    own = profile("own").tls
    assert own is not None
    assert own.server_name == "temporal.internal"
