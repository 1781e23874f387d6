"""How orders look on a terminal: narrow ones, harmless ones, and Arabic."""

import io
from datetime import timedelta

import pytest
from rich.console import Console

from starter.display import dzd, print_order, rows_table, span, views_table
from starter.output import said
from starter.screens import LiveTable
from tests.starter.fakes import ARABIC, BEGAN, row, view
from topups import HoldReason, Phase

NOW = BEGAN + timedelta(seconds=34)


def terminal(width: int = 80, height: int = 24) -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=width, height=height, color_system=None, markup=False)


def seen(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_stranger_s_control_characters_never_reach_a_terminal() -> None:
    console = terminal()
    nasty = "done\x1b[2J\x1b]0;owned\x07\r\x9b31m\nsecond"
    print_order(view(Phase.REFUNDED, refund_message=nasty, error_message=nasty, error_code="E"), console, NOW)
    assert not set("\x1b\x07\r\x9b") & set(seen(console))


def test_arabic_inside_a_line_is_isolated_on_a_terminal_and_verbatim_in_a_pipe() -> None:
    assert said(ARABIC, terminal()) == f"\u2068{ARABIC}\u2069"
    assert said(ARABIC, Console(file=io.StringIO())) == ARABIC
    assert said("ticket 881", terminal()) == "ticket 881"


def test_the_provider_s_message_is_not_wrapped_on_a_narrow_terminal() -> None:
    console = terminal(width=30)
    message = f"{ARABIC} {ARABIC} {ARABIC}"
    print_order(view(Phase.REFUNDED, refund_message=message), console, NOW)
    assert message in seen(console).split("\n")


@pytest.mark.parametrize("width", [40, 80, 120])
def test_no_line_is_wider_than_the_terminal_and_nothing_is_cut(width: int) -> None:
    console = terminal(width)
    held = view(Phase.ON_HOLD, "r" * 64, hold_reason=HoldReason.BALANCE, deliver_by=NOW, next_check_at=NOW)
    console.print(views_table([held], console, NOW))
    console.print(rows_table([row(ref="r" * 64, needs_review=True)], console, NOW))
    console.print(rows_table([row(ref="r" * 64)], console, NOW, {"r" * 64: "needs review: Not final after 60 checks"}))
    text = seen(console)
    assert max(map(len, text.split("\n"))) <= width
    assert "…" not in text.replace("…567", "")
    assert text.count("r") >= 192


def test_a_table_too_high_for_the_terminal_shows_open_orders_first() -> None:
    console = terminal(height=8)
    table = LiveTable(console)
    for number in range(9):
        phase = Phase.PENDING if number == 8 else Phase.FULFILLED
        table.show(view(phase, f"order-{number}"), changed=True)
    console.print(table.render())
    assert "order-8" in seen(console)
    assert "and 5 more" in seen(console)


def test_an_empty_table_says_that_it_waits() -> None:
    console = terminal()
    console.print(LiveTable(console).render())
    assert "no open orders" in seen(console)


def test_durations_show_their_two_largest_units() -> None:
    seconds = [-5, 0, 34, 60, 61, 3_600, 7_800, 86_400, 273_600]
    assert [span(length) for length in seconds] == [
        "0 s", "0 s", "34 s", "1 min", "1 min", "1 h", "2 h 10 min", "1 d", "3 d 4 h"
    ]  # fmt: skip


def test_amounts_show_centimes_only_where_there_are_any() -> None:
    assert [dzd(None), dzd(500), dzd(490.5), dzd(300_000)] == ["", "500 DZD", "490.50 DZD", "300,000 DZD"]


def test_a_look_that_is_due_is_now_and_a_later_one_counts_down() -> None:
    console = terminal(120)
    due, later = view(ref="due", next_check_at=NOW), view(ref="later", next_check_at=NOW + timedelta(hours=24))
    console.print(views_table([due, later], console, NOW))
    assert "now" in seen(console)
    assert "in 1 d" in seen(console)
