import pytest

from tests.activities.fake import Desk


@pytest.fixture
def desk() -> Desk:
    """The activities on a client that answers well."""
    return Desk()
