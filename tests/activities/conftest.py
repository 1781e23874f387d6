from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.activities.beside import Worker, folder_of, worker_beside
from tests.activities.fake import Desk


@pytest.fixture
def desk() -> Desk:
    """The activities on a client that answers well."""
    return Desk()


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    """Another worker with one activity under way."""
    with worker_beside(tmp_path) as worker:
        yield worker


@pytest.fixture
def dead(worker: Worker, tmp_path: Path) -> Path:
    """The folder of that worker, which was killed."""
    worker.kill()
    worker.wait()
    return folder_of(tmp_path)
