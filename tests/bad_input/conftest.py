"""How much bad input: `pytest tests/bad_input --hypothesis-profile=thorough` for thousands of each kind."""

from hypothesis import settings

from tests.workflows.conftest import provider, stage

__all__ = ["provider", "stage"]

settings.register_profile("thorough", max_examples=1_500)
