"""What a namespace must have, and giving it that."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, cast

import pytest
from google.protobuf.duration_pb2 import Duration
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.namespace.v1 import NamespaceConfig
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesResponse
from temporalio.api.workflowservice.v1 import DescribeNamespaceResponse, UpdateNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCStatusCode

from tests.unit.temporal import rpc_error
from topups.errors import SetupNeeded, TemporalUnreachable
from topups.namespace import missing_search_attributes, set_up
from topups.search_attributes import REGISTRY

KEYWORD = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD


@dataclass
class FakeNamespace:
    """A namespace at the port of Temporal's two services."""

    known: dict[str, int] = field(default_factory=dict)
    kept: timedelta = timedelta(days=1)
    fixed: bool = False
    cloud: bool = False
    namespace: str = "default"
    changes: int = 0
    not_yet: int = 0
    dead: bool = False

    @property
    def operator_service(self) -> "FakeNamespace":
        return self

    @property
    def workflow_service(self) -> "FakeNamespace":
        return self

    async def list_search_attributes(self, _: Any) -> ListSearchAttributesResponse:
        if self.cloud:
            raise rpc_error(RPCStatusCode.UNIMPLEMENTED, "no operator's service")
        response = ListSearchAttributesResponse()
        for name in self.known:
            response.custom_attributes[name] = KEYWORD
        return response

    async def add_search_attributes(self, request: AddSearchAttributesRequest) -> None:
        if self.cloud:
            raise rpc_error(RPCStatusCode.PERMISSION_DENIED, "not yours")
        self.changes += 1
        self.known |= request.search_attributes

    async def count_workflows(self, query: str, *, rpc_timeout: timedelta) -> None:
        if self.dead:
            raise rpc_error(RPCStatusCode.UNAVAILABLE, "gone")
        if self.not_yet > 0:
            self.not_yet -= 1
            raise rpc_error(RPCStatusCode.INVALID_ARGUMENT, "no mapping defined for search attribute TopUpPhase")
        assert all(name in query for name in self.known)

    async def describe_namespace(self, _: Any) -> DescribeNamespaceResponse:
        kept = Duration()
        kept.FromTimedelta(self.kept)
        aliases = {f"Keyword{number:02}": name for number, name in enumerate(self.known)}
        config = NamespaceConfig(workflow_execution_retention_ttl=kept, custom_search_attribute_aliases=aliases)
        return DescribeNamespaceResponse(config=config)

    async def update_namespace(self, request: UpdateNamespaceRequest) -> None:
        if self.fixed:
            raise rpc_error(RPCStatusCode.PERMISSION_DENIED, "not yours")
        self.changes += 1
        self.kept = request.config.workflow_execution_retention_ttl.ToTimedelta()

    def client(self) -> Client:
        return cast("Client", self)


@pytest.fixture
def namespace() -> FakeNamespace:
    return FakeNamespace()


async def test_what_the_namespace_lacks_is_named(namespace: FakeNamespace) -> None:
    namespace.known = {"TopUpPhase": KEYWORD}
    assert await missing_search_attributes(namespace.client()) == [name for name in REGISTRY if name != "TopUpPhase"]


async def test_setting_up_adds_all_that_lacks_and_keeps_runs_for_90_days(namespace: FakeNamespace) -> None:
    report = await set_up(namespace.client())
    assert (report.added, report.retention_days, report.retention_note) == (tuple(REGISTRY), 90, None)
    assert namespace.known["TopUpNeedsReview"] == IndexedValueType.INDEXED_VALUE_TYPE_BOOL
    assert namespace.kept == timedelta(days=90)


async def test_setting_up_ends_when_the_server_takes_orders(namespace: FakeNamespace) -> None:
    namespace.not_yet = 2
    await set_up(namespace.client())
    assert namespace.not_yet == 0


async def test_a_server_that_takes_no_orders_yet_is_no_success(
    namespace: FakeNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("topups.namespace.USABLE_WITHIN_SECONDS", 0.05)
    namespace.not_yet = 1_000
    with pytest.raises(SetupNeeded, match="again in a minute"):
        await set_up(namespace.client())


async def test_a_server_that_fails_meanwhile_is_said_to_be_unreachable(namespace: FakeNamespace) -> None:
    namespace.dead = True
    with pytest.raises(TemporalUnreachable):
        await set_up(namespace.client())


async def test_setting_up_twice_changes_nothing_the_second_time(namespace: FakeNamespace) -> None:
    await set_up(namespace.client())
    changes = namespace.changes
    assert (await set_up(namespace.client())).added == ()
    assert namespace.changes == changes


async def test_a_longer_retention_is_left_alone(namespace: FakeNamespace) -> None:
    namespace.kept = timedelta(days=365)
    assert (await set_up(namespace.client())).retention_days == 365


async def test_a_retention_that_can_not_be_raised_is_said_and_is_no_failure(namespace: FakeNamespace) -> None:
    namespace.fixed = True
    report = await set_up(namespace.client())
    assert report.retention_days == 1
    assert "not yours" in (report.retention_note or "")


async def test_where_only_the_cloud_adds_attributes_it_is_said_which_and_how(namespace: FakeNamespace) -> None:
    namespace.cloud = True
    with pytest.raises(SetupNeeded, match=r"TopUpPhase \(Keyword\).*TopUpNeedsReview \(Bool\).*Temporal Cloud"):
        await set_up(namespace.client())


async def test_in_the_cloud_a_namespace_that_has_them_is_ready(namespace: FakeNamespace) -> None:
    namespace.cloud, namespace.known = True, dict.fromkeys(REGISTRY, KEYWORD)
    assert await missing_search_attributes(namespace.client()) == []
    assert (await set_up(namespace.client())).added == ()
