"""How orders look on a terminal: one set of colours, one design of table, one page for one order."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from starter.advice import NO_WORKER, advice
from starter.output import print_block, print_verbatim, said
from topups import HoldReason, Offer, Phase, TopUpRow, TopUpView

PHASE_STYLES = {
    Phase.ACCEPTED: "cyan",
    Phase.ON_HOLD: "yellow",
    Phase.CONFIRMING: "bold yellow",
    Phase.PENDING: "blue",
    Phase.HANDLING: "bold blue",
    Phase.UNKNOWN_ERROR: "bold magenta",
    Phase.FULFILLED: "bold green",
    Phase.REFUNDED: "bold red",
    Phase.REJECTED: "red",
    Phase.CANCELLED: "dim",
}
_MAY_BE_SENT = frozenset({Phase.ACCEPTED, Phase.ON_HOLD, Phase.CONFIRMING})
# Below these widths (columns of a terminal) a table leaves its less telling columns out.
ROOM_FOR_PLAN, ROOM_FOR_NEXT = 100, 70

# Seconds of a unit, its name, and the next smaller unit, shown beside it; beyond a minute seconds say nothing.
_UNITS = ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 60, ""))


def phase_text(phase: Phase) -> Text:
    """A phase in its colour."""
    return Text(phase.value, PHASE_STYLES[phase])


def moment(at: datetime | None) -> str:
    """A time in UTC, to the second."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if at else ""


def span(seconds: float) -> str:
    """A duration in its two largest units: 34 s, 5 min, 2 h 10 min, 3 d 4 h."""
    left = max(0, int(seconds))
    for size, unit, smaller, name in _UNITS:
        if left >= size:
            rest = left % size // smaller
            return f"{left // size} {unit}" + (f" {rest} {name}" if rest else "")
    return f"{left} s"


def dzd(amount: float | None) -> str:
    """An amount, with centimes only where there are any."""
    if amount is None:
        return ""
    return f"{amount:,.0f} DZD" if float(amount).is_integer() else f"{amount:,.2f} DZD"


def table(*headers: str) -> Table:
    """The one design of a table: no frame, headers in bold; a text folds and is never cut."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", show_edge=False)
    for header in headers:
        made.add_column(
            header, overflow="fold", justify="right" if header in {"AGE", "IN PHASE", "AMOUNT", "NEXT"} else "left"
        )
    return made


def rows_table(rows: Iterable[TopUpRow], to: Console, now: datetime, whys: Mapping[str, str] | None = None) -> Table:
    """The table of `topup list`. `whys`, by ref, take the room of what they say better."""
    wide, has_plan = to.width >= ROOM_FOR_PLAN, to.width >= (ROOM_FOR_PLAN if whys else ROOM_FOR_NEXT)
    headers = ["REF", "PHASE", *(("AGE",) if wide or not whys else ()), "IN PHASE", *(() if whys else ("REVIEW",))]
    headers += [*(("PLAN", "PHONE") if has_plan else ()), *(("ACCEPTED",) if wide and not whys else ())]
    made = table(*headers)
    if whys:
        made.add_column("WHY", overflow="fold", ratio=1)
    for row in rows:
        cells: dict[str, RenderableType] = {
            "REF": row.ref,
            "PHASE": phase_text(row.phase),
            "AGE": _ago(row.accepted_at, now),
            "IN PHASE": _ago(row.phase_since, now),
            "REVIEW": Text("needs review", "bold red") if row.needs_review else "",
            "PLAN": row.plan_code or "",
            "PHONE": f"…{row.phone_tail or ''}",
            "ACCEPTED": moment(row.accepted_at),
        }
        made.add_row(*(cells[header] for header in headers), *((said(whys.get(row.ref, ""), to),) if whys else ()))
    return made


def _ago(at: datetime | None, now: datetime) -> str:
    return span((now - at).total_seconds()) if at else ""


def views_table(views: Iterable[TopUpView], to: Console, now: datetime) -> Table:
    """The live table of `topup watch` and `--wait`."""
    has_plan, has_next = to.width >= ROOM_FOR_PLAN, to.width >= ROOM_FOR_NEXT
    made = table("REF", "PHASE", "AGE", *(("NEXT",) if has_next else ()), *(("PLAN", "AMOUNT") if has_plan else ()))
    made.add_column("NOTE", overflow="fold", ratio=1)
    for view in views:
        cells: list[RenderableType] = [view.ref, phase_text(view.phase), age_of(view, now)]
        cells += [next_look(view, now)] if has_next else []
        cells += [view.plan_code, dzd(view.amount)] if has_plan else []
        made.add_row(*cells, said(note_of(view), to))
    return made


def age_of(view: TopUpView, now: datetime) -> str:
    """From acceptance to the end, or until now."""
    return span(((view.finished_at or now) - view.accepted_at).total_seconds())


def next_look(view: TopUpView, now: datetime) -> str:
    """When the provider is asked next."""
    if view.final or view.next_check_at is None:
        return ""
    seconds = (view.next_check_at - now).total_seconds()
    return f"in {span(seconds)}" if seconds >= 1 else "now"


def note_of(view: TopUpView) -> str:
    """The newest thing worth knowing of an order."""
    if view.stale:
        return "no worker answered"
    if view.review_reason:
        return f"needs review: {view.review_reason}"
    if view.hold_reason and not view.final:
        return f"waits: {view.hold_reason}, until {moment(view.deliver_by)}"
    if view.error_code:
        return f"{view.error_code}: {view.error_message or ''}".rstrip(": ")
    return view.timeline[-1].note if view.timeline else ""


def print_order(view: TopUpView, to: Console, now: datetime) -> None:
    """Print all that is known of one order, and what a person may do next."""
    to.print(Text(view.ref, "bold").append("  ").append(phase_text(view.phase)), soft_wrap=True)
    print_block(_facts(view, to, now), to, indent=2)
    print_message(view, to)
    if view.suggested_offers:
        to.print(Text("  offers for this line:", "bold"))
        print_block(_offers(view.suggested_offers, to), to, indent=4)
    if view.timeline:
        to.print(Text("  timeline (UTC):", "bold"))
        print_block(_timeline(view, to), to, indent=4)
    if view.stale:
        print_block(Text(NO_WORKER, "yellow"), to, indent=2)
    for line in advice(view):
        print_block(Text("next: ", "bold").append(said(line, to), ""), to, indent=2)


def print_message(view: TopUpView, to: Console) -> None:
    """Print the provider's words for the customer, verbatim and on a line of their own."""
    if view.refund_message:
        to.print(Text(f"  the provider's message for the customer of {view.ref}:", "bold"), soft_wrap=True)
        print_verbatim(view.refund_message, to)


def _facts(view: TopUpView, to: Console, now: datetime) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in _known(view, now):
        if value:
            grid.add_row(name, said(value, to))
    return grid


def _known(view: TopUpView, now: datetime) -> list[tuple[str, str]]:
    return [
        ("order", " ".join(filter(None, [dzd(view.amount), view.plan_code, "to", view.phone]))),
        ("environment", " ".join(filter(None, [view.environment, view.account and f"(account {view.account})"]))),
        ("accepted", f"{moment(view.accepted_at)} ({span((now - view.accepted_at).total_seconds())} ago)"),
        ("finished", f"{moment(view.finished_at)} (after {age_of(view, now)})" if view.finished_at else ""),
        ("needs review", (view.review_reason or "yes") if view.needs_review else ""),
        ("on hold", _hold(view)),
        ("deliver by", moment(view.deliver_by) if view.phase in _MAY_BE_SENT else ""),
        ("next look", "" if view.final else next_look(view, now)),
        ("last checked", moment(view.last_checked_at)),
        ("requests", "" if view.stale else f"{view.sends} sent, {view.checks} checked"),
        ("provider's id", " ".join(filter(None, [view.topup_id, view.provider_ref and f"({view.provider_ref})"]))),
        ("debited", dzd(view.balance_amount)),
        ("error", ": ".join(filter(None, [view.error_code, view.error_message]))),
        ("resolved by", ": ".join(filter(None, [view.resolved_by, view.resolved_note]))),
        ("metadata", ", ".join(f"{key}={value}" for key, value in view.metadata.items())),
    ]


def _hold(view: TopUpView) -> str:
    if view.hold_reason is None or view.final:
        return ""
    return f"{HoldReason(view.hold_reason).value}: certainly not sent yet"


def _offers(offers: Iterable[Offer], to: Console) -> Table:
    # The name comes last: Arabic in it can't reorder what stands before it.
    made = table("PLAN", "AMOUNT", "NAME")
    for offer in offers:
        amount = dzd(offer.amount) if isinstance(offer.amount, int | float) else str(offer.amount or "")
        made.add_row(said(str(offer.plan_code or ""), to), amount, said(str(offer.typename or ""), to))
    return made


def _timeline(view: TopUpView, to: Console) -> Table:
    made = Table.grid(padding=(0, 2))
    made.add_column(no_wrap=True, style="dim")
    made.add_column(no_wrap=True)
    made.add_column(overflow="fold")
    for event in view.timeline:
        note = said(event.note, to) + (f" ({said(event.by, to)})" if event.by else "")
        made.add_row(f"{event.at.astimezone(UTC):%m-%d %H:%M:%S}", phase_text(event.phase), note)
    return made
