"""Bad input: exit 2, one sentence for each wrong field, and nothing started."""

import pytest

from tests.starter.fakes import Desk

GOOD = {"--ref": "order-1", "--plan": "PREPAID_DJEZZY", "--phone": "0771234567", "--amount": "500"}

BAD_AMOUNTS = ("12.5", "1e3", "٥٠٠", "99999999999999999999", "9" * 5_000, "-5", "", "0", "300001", "1_000", " 5 ", "+5")
BAD_PHONES = ("", "0871234567", "077123456", "٠٧٧١٢٣٤٥٦٧", "0771234567x", "+33612345678", "0" * 10_000)
BAD_REFS = ("", "order 1", "طلب", "a" * 65, "a/b", "0771234567", "order-1\n", "🙂")
BAD_PLANS = ("", "PREPAID-DJEZZY", "a" * 65, "خطة", "PLAN\n")
BAD_SECONDS = ("-1", "1.5", "soon", "", "99999999", "٦٠", "1_0", "inf")


def _send(topup: Desk, **changes: str) -> tuple[int, str, str]:
    options = GOOD | {f"--{name.replace('_', '-')}": value for name, value in changes.items()}
    answer = topup("send", *[part for option in options.items() for part in option])
    return answer.code, answer.out, answer.err


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("amount", value) for value in BAD_AMOUNTS],
        *[("phone", value) for value in BAD_PHONES],
        *[("ref", value) for value in BAD_REFS],
        *[("plan", value) for value in BAD_PLANS],
        *[("wait", value) for value in BAD_SECONDS],
        *[("deliver_within", value) for value in (*BAD_SECONDS, "59", "86401")],
        *[("metadata", value) for value in ("", "shop", "=12", "k=" + "v" * 3_000, "k=\udcff")],
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_started(topup: Desk, name: str, value: str) -> None:
    code, out, err = _send(topup, **{name: value})
    assert code == 2
    assert not out
    lines = err.splitlines()
    assert lines[0].startswith(f"topup: --{name.replace('_', '-')}: "), err
    assert lines[1].startswith("  next: nothing was started"), err
    assert len(lines) == 2
    assert not topup.orders.submitted


def test_every_wrong_field_gets_its_own_sentence(topup: Desk) -> None:
    code, _, err = _send(
        topup, ref="a b", plan="-", phone="12", amount="1e3", wait="x", deliver_within="1", metadata="x"
    )
    assert code == 2
    named = [line.split(":")[1].strip() for line in err.splitlines() if line.startswith("topup: ")]
    assert sorted(named) == sorted(
        ["--ref", "--plan", "--phone", "--amount", "--wait", "--deliver-within", "--metadata"]
    )


def test_the_same_metadata_key_twice_is_refused(topup: Desk) -> None:
    answer = topup("send", *[p for o in GOOD.items() for p in o], "--metadata", "a=1", "--metadata", "a=2")
    assert answer.code == 2
    assert "same key twice" in answer.err


def test_a_wrong_phone_number_is_not_repeated_in_the_error(topup: Desk) -> None:
    _, _, err = _send(topup, phone="077123456")
    assert "077123456" not in err.replace("0771234567", "")


@pytest.mark.parametrize(
    "argv",
    [
        ["status", "طلب"],
        ["status", "a" * 65],
        ["watch", "order-1", "a b"],
        ["recheck", ""],
        ["recheck", "order-1", "--by", " "],
        ["cancel", "order-1", "--reason", ""],
        ["cancel", "order-1", "--reason", "x" * 501],
        ["cancel", "order-1", "--reason", "\udcff"],
        ["resolve", "order-1", "--as", "DELIVERED", "--note", "seen"],
        ["resolve", "order-1", "--as", "fulfilled", "--note", "seen"],
        ["resolve", "order-1", "--as", "FULFILLED", "--note", "  "],
        ["reopen", "order-1", "--note", ""],
        ["list", "--phase", "DONE"],
        ["list", "--phase", ""],
    ],
)
def test_no_command_acts_on_bad_input(topup: Desk, argv: list[str]) -> None:
    answer = topup(*argv)
    assert answer.code == 2
    assert answer.err.startswith("topup: ")
    assert "  next: " in answer.err
    assert not answer.out
    assert not topup.orders.acts
    assert not topup.orders.asked


@pytest.mark.parametrize("argv", [["send"], ["status"], ["cancel", "order-1"], ["bogus"], ["list", "--bogus"]])
def test_a_usage_error_exits_2_as_well(topup: Desk, argv: list[str]) -> None:
    answer = topup(*argv)
    assert answer.code == 2
    assert not answer.out


def test_leading_zeros_are_ascii_digits_too(topup: Desk) -> None:
    topup("send", *[p for o in (GOOD | {"--amount": "0500"}).items() for p in o])
    assert topup.orders.submitted[0].amount == 500
