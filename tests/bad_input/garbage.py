"""What comes in from outside, and how much of it; and what must never come out."""

import re

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from oneclickdz import mask_phones

PHONE = "0771234567"
# A whole Algerian mobile number in any of its forms, and not a piece of a longer row of digits.
_WHOLE_NUMBER = re.compile(r"(?<![0-9])(?:(?:\+|%2B|00)?213|0)[567][0-9]{8}(?![0-9])", re.IGNORECASE)
# Our own examples of a number stand in sentences for people.
_EXAMPLES = frozenset({"0771234567"})

# No example is worth a failure because the machine is busy.
_BUSY = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large]


def thorough() -> bool:
    """Whether a profile asks for more than Hypothesis' own 100 examples."""
    return settings.default is not None and settings.default.max_examples > 100


def many(times: float = 1.0) -> settings:
    """So many times the profile's examples (100 by default), however slow the machine is."""
    base = settings.default.max_examples if settings.default else 100
    return settings(max_examples=max(int(base * times), 1), deadline=None, suppress_health_check=_BUSY)


def whole_numbers(text: str, *, but: frozenset[str] = frozenset()) -> list[str]:
    """Phone numbers that a text shows whole; the provider's object ids are none."""
    without_ids = re.sub(r"\b[0-9a-f]{24}\b", "", text)
    return [found for found in _WHOLE_NUMBER.findall(without_ids) if found not in but]


def shows_a_number(text: str) -> bool:
    """Whether a text shows a whole number where `mask_phones` would have masked one."""
    return bool(whole_numbers(text)) or mask_phones(text) != text


digits = st.text("0123456789", min_size=8, max_size=8)
numbers = st.builds(
    "{}{}{}".format, st.sampled_from(["0", "+213", "00213", "213", "+213 ", "00213 "]), st.sampled_from("567"), digits
)
odd_texts = st.sampled_from(
    [
        "",
        " ",
        "\0",
        "\n",
        "\ud800",
        "﷽",
        "٠٧٧١٢٣٤٥٦٧",
        "🙂" * 20,
        "NaN",
        "-0",
        "1e9",
        "null",
        "{}",
        "\u202e",
        "a" * 9_000,
    ]
)
texts = st.one_of(st.text(max_size=80), st.text("0123456789+ -_", max_size=16), numbers, odd_texts)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([10**4_000, -(2**63), 2**64]),
    st.floats(),
    texts,
)
json_like = st.recursive(
    scalars, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4))
)
anything = st.one_of(json_like, st.binary(max_size=40), st.builds(object), st.dates(), st.complex_numbers())
