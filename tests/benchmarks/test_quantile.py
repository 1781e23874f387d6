"""The quantiles by which the benchmarks judge."""

import pytest

from benchmarks.ground import quantile


@pytest.mark.parametrize(("share", "value"), [(0.0, 1), (0.5, 50), (0.99, 99), (0.999, 100), (1.0, 100)])
def test_one_of_a_hundred_may_be_worse_than_the_99th(share: float, value: int) -> None:
    assert quantile(range(100, 0, -1), share) == value
