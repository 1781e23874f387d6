"""What people type, checked before anything starts: a sentence for each field that is wrong."""

import getpass
import os
import re
import socket
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, get_args

from pydantic import TypeAdapter, ValidationError

from topups import InvalidTopUp, TopUpRequest
from topups.books.differences import ReconcileInput
from topups.models import Outcome, Ref

WAIT_MAX_SECONDS = 604_800
NOTE_MAX = 500
BY_MAX = 100
# Python's int() would also take "1_000", " 5 " and digits of other scripts.
_DIGITS = re.compile(r"[0-9]{1,12}", re.ASCII)
# No order is older, and no later sum with times can overflow.
_EARLIEST = datetime(2020, 1, 1, tzinfo=UTC)
_OPTIONS = {"plan_code": "--plan", "deliver_within": "--deliver-within"}
_REF = TypeAdapter[str](Ref)


def request_of(
    *,
    ref: str,
    plan: str,
    phone: str,
    amount: str | None,
    deliver_within: str | None,
    metadata: Sequence[str],
    wait: str | None,
) -> tuple[TopUpRequest, int | None]:
    """Return the order and the seconds to wait for it. Raises InvalidTopUp with every wrong option."""
    problems: dict[str, str] = {}
    given: dict[str, Any] = {"ref": ref, "plan_code": plan, "phone": phone}
    given |= {"amount": _number(amount), "deliver_within": _number(deliver_within)}
    pairs = _pairs(metadata, problems)
    seconds = _wait(wait, problems)
    try:
        request = TopUpRequest(**given, metadata=pairs)
    except InvalidTopUp as error:
        found = {_OPTIONS.get(name, f"--{name}"): sentence for name, sentence in error.problems.items()}
        raise InvalidTopUp(found | problems) from None
    if problems:
        raise InvalidTopUp(problems)
    return request, seconds


def _number(typed: str | None) -> int | str | None:
    """Return a whole number of ASCII digits; anything else as it came, for the model to refuse."""
    return int(typed) if typed is not None and _DIGITS.fullmatch(typed) else typed


def _wait(typed: str | None, problems: dict[str, str]) -> int | None:
    seconds = _number(typed)
    if seconds is None or (isinstance(seconds, int) and seconds <= WAIT_MAX_SECONDS):
        return seconds
    problems["--wait"] = f"must be whole seconds from 0 to {WAIT_MAX_SECONDS:,}"
    return None


def _pairs(typed: Sequence[str], problems: dict[str, str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for item in typed:
        key, equals, value = item.partition("=")
        if not key or not equals:
            problems["--metadata"] = "must be KEY=VALUE, like shop=12; repeat the option for more"
        elif key in pairs:
            problems["--metadata"] = "has the same key twice"
        elif not _is_text(item):
            problems["--metadata"] = "must be text in UTF-8"
        pairs[key] = value
    return {} if "--metadata" in problems else pairs


def window_of(*, days: str | None, since: str | None, until: str | None) -> ReconcileInput:
    """Return what to compare. Raises InvalidTopUp."""
    not_both("--days", days, "--since", since)
    given: dict[str, Any] = {"since": _time("--since", since), "until": _time("--until", until), "by": _whoami()}
    if days is not None:
        given["days"] = _number(days)
    try:
        window = ReconcileInput(**given)
    except ValidationError:
        raise InvalidTopUp({"--days": "must be a whole number of days from 1 to 90"}) from None
    now = datetime.now(UTC)
    if window.until is not None and not _EARLIEST < window.until <= now:
        raise InvalidTopUp({"--until": "must be a time that has passed"})
    if window.since is not None and not _EARLIEST <= window.since < (window.until or now):
        raise InvalidTopUp({"--since": "must be before --until, and neither in the future nor long ago"})
    return window


def not_both(one: str, first: object, other: str, second: object) -> None:
    """Raise InvalidTopUp when two things were given that exclude each other."""
    if first and second:
        raise InvalidTopUp({one: f"can't be given together with {other}"})


def _time(option: str, typed: str | None) -> datetime | None:
    if typed is None:
        return None
    try:
        moment = datetime.fromisoformat(typed)
    except ValueError:
        raise InvalidTopUp({option: "must be a time like 2026-11-23 or 2026-11-23T14:30 (UTC)"}) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def ref_of(typed: str) -> str:
    """Return a ref. Raises InvalidTopUp for what can't be one, so that nobody searches for it."""
    try:
        return _REF.validate_python(typed)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        sentence = "must be 1 to 64 of the characters A-Z a-z 0-9 _ -"
        if problem["type"] == "value_error":
            sentence = problem["msg"].removeprefix("Value error, ")
        raise InvalidTopUp({"REF": sentence}) from None


def words_of(option: str, typed: str, *, longest: int = NOTE_MAX) -> str:
    """Return a person's words. Raises InvalidTopUp when there are none, or too many."""
    words = typed.strip()
    if not 0 < len(words) <= longest or not _is_text(words):
        raise InvalidTopUp({option: f"must be 1 to {longest} characters of text that say why"})
    return words


def by_of(typed: str | None) -> str:
    """Return who acts: `--by`, or user@host."""
    return words_of("--by", typed, longest=BY_MAX) if typed is not None else _whoami()


def _whoami() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user need not have a name
        user = f"uid-{os.getuid()}"
    return f"{user}@{socket.gethostname()}"


def outcome_of(typed: str) -> Outcome:
    """Return what really happened. Raises InvalidTopUp."""
    outcomes: tuple[Outcome, ...] = get_args(Outcome)
    for outcome in outcomes:
        if typed == outcome:
            return outcome
    raise InvalidTopUp({"--as": f"must be one of {', '.join(outcomes)}"})


def _is_text(typed: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in typed)
