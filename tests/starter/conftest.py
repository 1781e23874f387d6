import pytest

from tests.starter.fakes import Desk


@pytest.fixture
def topup(capsys: pytest.CaptureFixture[str]) -> Desk:
    """The command on orders in memory."""
    return Desk(capsys)
