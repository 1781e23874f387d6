"""Whatever is typed: an exit code of the contract, never a traceback, and bad input starts nothing."""

import io
import re
import sys
import types
from collections.abc import AsyncIterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from starter.cli import run
from starter.exits import ExitCode
from starter.session import Session
from tests.bad_input.garbage import PHONE, many, numbers, shows_a_number, texts
from tests.starter.fakes import Answer, FakeOrder, FakeTemporal, FakeTopUps, view
from topups import NotAllowed, Phase, TopUpRow

COMMANDS = [
    "send",
    "status",
    "watch",
    "list",
    "recheck",
    "cancel",
    "resolve",
    "reopen",
    "setup",
    "demo",
    "reconcile",
    "audits",
    "close-audit",
]
OPTIONS = {
    "--ref": "order-1",
    "--plan": "PREPAID_DJEZZY",
    "--phone": PHONE,
    "--amount": "500",
    "--deliver-within": "600",
    "--wait": "1",
    "--metadata": "shop=12",
    "--reason": "changed their mind",
    "--note": "seen",
    "--as": "FULFILLED",
    "--by": "fatima",
    "--phase": "PENDING",
    "--tail": "567",
    "--older-than": "2h",
    "--accepted-after": "yesterday",
    "--accepted-before": "2026-11-24",
    "--ended-after": "today",
    "--limit": "5",
    "--per-minute": "60",
    "--days": "3",
    "--since": "2026-01-01",
    "--until": "2026-01-08",
}
FLAGS = [
    "--json",
    "--needs-review",
    "--open",
    "--why",
    "--query",
    "--dry-run",
    "--yes",
    "--last",
    "--keep",
    "--help",
    "-h",
    "--version",
    "--",
    "-",
    "--bogus",
    "-x",
    "--ref=",
]
# UNEXPECTED is none of them: it would be a bug.
EXPECTED = set(ExitCode) - {ExitCode.UNEXPECTED, ExitCode.UNREACHABLE, ExitCode.INTERRUPTED}

# What a shell can hand over: any bytes but NUL, those that are no UTF-8 as lone surrogates.
typed = st.one_of(texts, st.binary(max_size=12).map(lambda raw: raw.decode("utf-8", "surrogateescape"))).map(
    lambda text: text.replace("\0", "").encode("utf-8", "replace").decode("utf-8", "replace")[:2_000]
)
raw_bytes = st.binary(min_size=1, max_size=12).map(
    lambda raw: raw.replace(b"\0", b"").decode("utf-8", "surrogateescape")
)
word = st.one_of(st.sampled_from([*COMMANDS, *FLAGS, *OPTIONS, *OPTIONS.values()]), typed, raw_bytes)


@dataclass
class _Orders(FakeTopUps):
    """Every order there is has been delivered, and a list that is asked again and again comes to an end."""

    lists: int = 0

    def order(self, ref: str) -> FakeOrder:
        return FakeOrder(ref, [view(Phase.FULFILLED, ref)], self.acts)

    async def list(
        self,
        phase: Phase | str | None = None,
        *,
        plan_code: str | None = None,
        phone_tail: str | None = None,
        needs_review: bool | None = None,
        unchanged_since: datetime | None = None,
        accepted_after: datetime | None = None,
        accepted_before: datetime | None = None,
        finished_since: datetime | None = None,
        open_only: bool = False,
    ) -> AsyncIterator[TopUpRow]:
        self.lists += 1
        if self.lists > 3:
            raise NotAllowed("asked often enough")
        for row in self.rows:
            yield row


@dataclass
class _Terminal:
    """The command as `main` runs it: its streams write what no encoding has as escapes."""

    orders: _Orders = field(default_factory=_Orders)

    def __call__(self, argv: Sequence[str]) -> Answer:
        out, err = _stream(), _stream()
        with redirect_stdout(out), redirect_stderr(err):
            code = run(argv, Session(FakeTemporal(self.orders), tick=0.001))
        return Answer(code, _written(out), _written(err))

    def was_told_nothing(self) -> bool:
        return not self.orders.submitted and not self.orders.acts


def _stream() -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="backslashreplace", write_through=True)


def _written(stream: io.TextIOWrapper) -> str:
    assert isinstance(stream.buffer, io.BytesIO)
    return stream.buffer.getvalue().decode()


@pytest.fixture(autouse=True)
def no_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real one starts servers."""
    monkeypatch.setitem(sys.modules, "starter.demo", types.SimpleNamespace(run=lambda **_: 0))


def _judge(argv: Sequence[str]) -> tuple[_Terminal, Answer]:
    topup = _Terminal()
    answer = topup(argv)
    assert answer.code in EXPECTED, (argv, answer)
    assert "Traceback" not in answer.err + answer.out
    if answer.code == ExitCode.BAD_INPUT:
        assert topup.was_told_nothing()
        # Without a command the help is the answer.
        assert "Usage: topup" in answer.out if not answer.err else not answer.out
    return topup, answer


@many(3)
@given(st.lists(word, max_size=8))
def test_any_words_end_in_a_code_of_the_contract(argv: list[str]) -> None:
    _judge(argv)


@many(2)
@given(
    st.sampled_from(COMMANDS),
    st.lists(st.sampled_from([*OPTIONS]).flatmap(lambda name: word.map(lambda given: (name, given))), max_size=6),
    st.lists(word, max_size=3),
)
def test_any_options_of_a_command_end_in_a_code_of_the_contract(
    command: str, options: list[tuple[str, str]], rest: list[str]
) -> None:
    _judge([command, *[part for option in options for part in option], *rest])


def _is_fine(name: str, value: str) -> bool:
    """The contract's own rules, written down a second time."""
    rules = {
        "--ref": r"[A-Za-z0-9_-]{1,64}",
        "--plan": r"[A-Za-z0-9_]{1,64}",
        "--amount": r"[0-9]{1,12}",
        "--deliver-within": r"[0-9]{1,12}",
        "--phone": r"(\+|00)?(213)?0?[567][0-9]{8}",
    }
    value = value.replace(" ", "") if name == "--phone" else value
    if re.fullmatch(rules[name], value, re.ASCII) is None:
        return False
    bounds = {"--amount": range(1, 300_001), "--deliver-within": range(60, 86_401)}
    return name not in bounds or int(value) in bounds[name]


@many(4)
@given(st.sampled_from(["--ref", "--plan", "--phone", "--amount", "--deliver-within"]), typed | raw_bytes | numbers)
def test_a_wrong_option_of_send_starts_nothing(name: str, value: str) -> None:
    given_options = {key: OPTIONS[key] for key in ("--ref", "--plan", "--phone", "--amount")} | {name: value}
    topup, answer = _judge(["send", *[f"{key}={text}" for key, text in given_options.items()]])
    if answer.code == ExitCode.BAD_INPUT:
        # "like 0771234567" is the sentence's own example.
        assert not shows_a_number(answer.err.replace(f"like {PHONE}", ""))
    else:
        assert answer.code == ExitCode.DONE
        assert _is_fine(name, value), (name, value)
        [order] = topup.orders.submitted
        assert name != "--phone" or order.phone[-9:] == value.replace(" ", "")[-9:]


@many(2)
@given(st.sampled_from(["recheck", "cancel", "resolve", "reopen"]), typed | raw_bytes, typed | raw_bytes)
def test_people_s_words_are_kept_as_they_were_typed_or_refused(command: str, words: str, by: str) -> None:
    option = {"recheck": [], "cancel": [f"--reason={words}"], "resolve": ["--as=REFUNDED", f"--note={words}"]}
    argv = [command, "order-1", *option.get(command, [f"--note={words}"]), f"--by={by}"]
    topup, answer = _judge(argv)
    if answer.code == ExitCode.DONE:
        [act] = topup.orders.acts
        assert act[-1] == by.strip()
        assert command == "recheck" or act[-2] == words.strip()
        assert all(text.encode() for text in act)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_hundred_thousand_characters_are_just_bad_input(command: str) -> None:
    _, answer = _judge([command, "x" * 100_000, "--note=" + "y" * 100_000])
    assert answer.code == ExitCode.BAD_INPUT
