"""A page of the list: as it is, or with one of the lies that real lists tell."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from simulator.faults import Fault
from simulator.orders import Order

ABSURD = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Paging:
    """What was asked for: page ``number`` of ``size`` rows, at the instant ``now``."""

    number: int
    size: int
    now: float
    speed: float


@dataclass(frozen=True, slots=True)
class Row:
    """An order as it was ``at`` an instant, or is (``inf``)."""

    order: Order
    status: str
    at: float


@dataclass(frozen=True, slots=True)
class Page:
    """What is answered."""

    rows: list[Row]
    total_pages: int
    total_results: int


def paged(orders: Sequence[Order], page: Paging, lie: Fault | None = None) -> Page:
    """The page that shows these orders, which come newest first; with a lie, the page that tells it."""
    true = [Row(order, order.status(page.now, page.speed), math.inf) for order in orders]
    rows, first = true, (page.number - 1) * page.size
    match lie and lie.action:
        case "stale_page" if lie:
            rows = [row for each in true if (row := _aged(each, page, lie))]
        case "other_order":
            # Ids end at random, so this is an order like any other, and the same one on every page.
            rows = sorted(true, key=lambda row: row.order.topup_id[::-1])
        case "shifted_page" if lie:
            return _totalled(_shifted(true, page, lie.rows), true, page)
        case "wrong_totals" if lie:
            return _miscounted(true[first : first + page.size], _pages(true, page), len(true), lie)
        case _:
            pass
    return _totalled(_altered(rows[first : first + page.size], page, lie), rows, page)


def _altered(rows: list[Row], page: Paging, lie: Fault | None) -> list[Row]:
    """What happens to rows that are on the page already."""
    if lie and lie.action == "missing_record":
        return [row for row in rows if not _is_meant(row, lie)]
    if lie and lie.action == "duplicate_rows":
        twice = ((row, _before(row, page)) if _is_meant(row, lie) else (row,) for row in rows)
        return [row for both in twice for row in both][: page.size]
    return rows


def _is_meant(row: Row, lie: Fault) -> bool:
    return lie.is_about(row.order.ref, row.order.topup_id)


def _aged(row: Row, page: Paging, lie: Fault) -> Row | None:
    """The row as it was; None where it wasn't there yet."""
    if not _is_meant(row, lie):
        return row
    then = page.now - lie.seconds
    if row.order.created_at > then:
        return None
    past = [word for since, word in row.order.history(page.speed) if since <= then]
    return Row(row.order, past[-1] if past else row.status, then)


def _before(row: Row, page: Paging) -> Row:
    """The row with the status that the order had before this one, where it had another."""
    past = [(since, word) for since, word in row.order.history(page.speed) if since <= page.now]
    if len(past) < 2:
        return row
    (_, word), (changed_at, _) = past[-2:]
    return Row(row.order, word, math.nextafter(changed_at, -math.inf))


def _shifted(rows: list[Row], page: Paging, shift: int) -> list[Row]:
    """New rows came in before each page but the first: it repeats as many, and its first fresh row falls out."""
    turned = page.number - 1
    first = turned * max(0, page.size - shift)
    fresh = first + (min(shift, page.size) if turned else 0)
    return [row for place, row in enumerate(rows) if first <= place < first + page.size and place != fresh]


def _miscounted(shown: list[Row], pages: int, results: int, lie: Fault) -> Page:
    if lie.totals == "absurd":
        return Page(shown, ABSURD, ABSURD)
    if lie.totals == "fewer":
        return Page(shown, max(0, pages - 1), max(0, results - 1))
    return Page(shown, 0, 0)


def _totalled(shown: list[Row], rows: list[Row], page: Paging) -> Page:
    return Page(shown, _pages(rows, page), len(rows))


def _pages(rows: list[Row], page: Paging) -> int:
    return math.ceil(len(rows) / page.size)
