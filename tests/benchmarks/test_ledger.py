"""What the benchmarks read out of the provider's ledger."""

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from benchmarks.ledger import Books, Span, most_in_a_minute


@given(st.lists(st.integers(0, 400), max_size=60))
def test_the_fullest_minute_is_found_wherever_it_begins(seconds: list[int]) -> None:
    slow = max((sum(begin <= at < begin + 60 for at in seconds) for begin in seconds), default=0)
    assert most_in_a_minute(map(float, seconds)) == slow


def test_a_request_one_minute_old_is_out_of_the_minute() -> None:
    assert most_in_a_minute([0.0, 60.0]) == 1
    assert most_in_a_minute([0.0, 59.999]) == 2


def row(kind: str, second: int, **more: object) -> str:
    empty = {"endpoint": None, "ref": None, "status": None, "http": None, "key": "ours"}
    return json.dumps({"at": f"2026-01-01T00:00:{second:02}Z", "kind": kind, **empty, **more})


def test_only_the_own_key_s_rows_count_and_a_torn_last_line_does_not(tmp_path: Path) -> None:
    lines = [
        row("request", 1, endpoint="send"),
        row("request", 2, endpoint="send", key="theirs"),
        row("answer", 3, endpoint="send", http=429),
        row("commit", 4, ref="a"),
        row("commit", 5, ref="a"),
        row("answer", 6, endpoint="check-id", ref="a", status="HANDLING", http=200),
        row("answer", 7, endpoint="check-id", ref="a", status="FULFILLED", http=200),
    ]
    ledger = tmp_path / "ledger.jsonl"
    ledger.write_text("\n".join(lines) + '\n{"at": "2026-')
    books = Books(ledger, "ours")
    always = Span(0.0, 1e12)
    assert (books.requests(always)["send"], books.refused(always), books.sent_twice()) == (1, 1, 1)
    assert list(books.told()) == ["a"]
