"""A fresh stand-in for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.simulator.stand import Stand


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    stand = Stand(tmp_path / "ledger.jsonl")
    yield stand
    stand.close()
