"""How a run looks: a live table on a terminal, plain lines elsewhere. Both end with the same report."""

from datetime import UTC, datetime

from rich.box import ROUNDED
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from starter.demo.board import Act, Board
from starter.demo.verdict import Verdict
from starter.display import ROOM_FOR_PLAN, age_of, dzd, next_look, note_of, phase_text, table
from starter.output import print_block, print_verbatim, said
from topups import Phase, TimelineEvent, TopUpView

REFRESH_PER_SECOND = 4
_DOING = {
    Phase.ACCEPTED: "is being sent",
    Phase.ON_HOLD: "tries again",
    Phase.CONFIRMING: "perhaps sent; looks it up",
    Phase.PENDING: "asks again",
    Phase.HANDLING: "asks again",
    Phase.UNKNOWN_ERROR: "nobody knows; asks again",
}


class PlainScreen:
    """A line for every act and for every event of an order."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def act(self, act: Act) -> None:
        """Print a line."""
        print_block(_act_line(act), self._console)

    def moved(self, view: TopUpView, event: TimelineEvent, at: float) -> None:
        """Print a line."""
        line = f"{at:6.1f} s    {view.ref:<20} {event.phase:<13} {event.note}"
        self._console.print(Text(line), soft_wrap=True)


class LiveScreen:
    """Acts scroll by; the table of all orders stays below them until the report replaces it."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, refresh_per_second=REFRESH_PER_SECOND, transient=True)

    def show(self, board: Board) -> None:
        """Begin to show a board."""
        self._live.update(LiveTable(board))
        self._live.start()

    def hide(self) -> None:
        """Stop showing it; harmless when it isn't shown."""
        self._live.stop()

    def act(self, act: Act) -> None:
        """Print a line above the table."""
        self._live.console.print(_act_line(act))

    def moved(self, view: TopUpView, event: TimelineEvent, at: float) -> None:
        """The table shows it at its next refresh."""


class LiveTable:
    """Renders the board as it is at the moment of rendering."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text()
        yield orders_table(self._board, console)
        yield Text()
        yield _lights(self._board)


def orders_table(board: Board, to: Console, *, whole: bool = False) -> RenderableType:
    """Every order with its phase, how often it was sent and checked, and the newest thing worth knowing.

    `whole` folds long notes; otherwise every order stays one line, so that a live table doesn't jump.
    """
    now = datetime.now(UTC)
    is_wide = to.width >= ROOM_FOR_PLAN
    made = table("REF", "PHASE", "AGE", "SENT", "CHECKED", *(("ORDER",) if is_wide else ()))
    made.add_column("NOTE", overflow="fold" if whole else "ellipsis", no_wrap=not whole, ratio=1)
    made.expand = to.is_terminal
    for ref in board.refs:
        view = board.views.get(ref)
        if view is None:
            made.add_row(Text(ref, "dim"), Text("not yet", "dim"))
            continue
        order = (" ".join(filter(None, [dzd(view.amount), view.plan_code])),) if is_wide else ()
        counts = (str(view.sends), str(view.checks))
        made.add_row(ref, phase_text(view.phase), age_of(view, now), *counts, *order, said(_note(view, now), to))
    return made


def report(board: Board, verdict: Verdict, to: Console) -> None:
    """Print how it ended: the table, the provider's words for the customers, the verdict."""
    to.print()
    print_block(orders_table(board, to, whole=True), to)
    to.print()
    for ref in board.refs:
        view = board.views.get(ref)
        if view is not None and view.phase is Phase.REFUNDED and view.refund_message:
            to.print(Text(f"{ref}: the provider's words for the customer", "dim"))
            print_verbatim(f"  {view.refund_message}", to)
    to.print()
    print_block(verdict_panel(verdict), to)


def acts(board: Board, to: Console) -> None:
    """Print all that was done."""
    for act in board.acts:
        to.print(_act_line(act))


def verdict_panel(verdict: Verdict) -> Panel:
    """The verdict in one frame."""
    colour = "green" if verdict.clean else "red"
    heading = "Every order reached its true end, once" if verdict.clean else "Not every order reached its true end"
    lines: list[RenderableType] = [Text(heading, f"bold {colour}"), _counts(verdict)]
    lines += [Text(f"{ref}: {fault}", "red") for ref, fault in verdict.faults.items()]
    if verdict.strangers:
        lines.append(Text(f"not ours, but in the ledger: {', '.join(verdict.strangers)}", "red"))
    lines.append(Text(f"The judge read the provider's ledger ({verdict.posts} sends reached it), not our logs.", "dim"))
    return Panel(
        Group(*lines),
        box=ROUNDED,
        border_style=colour,
        title="verdict",
        title_align="left",
        padding=(0, 2),
        expand=False,
    )


def _counts(verdict: Verdict) -> Text:
    counts = [
        ("accepted", len(verdict.accepted), "bold"),
        ("delivered once", len(verdict.delivered), "bold green"),
        ("refunded", len(verdict.refunded), "bold"),
        ("refused", len(verdict.refused), "bold"),
        ("cancelled", len(verdict.cancelled), "bold"),
        ("lost", len(verdict.lost), "bold red" if verdict.lost else "bold green"),
        ("twice", len(verdict.twice), "bold red" if verdict.twice else "bold green"),
    ]
    line = Text()
    for name, count, style in counts:
        line.append(f"{name} ").append(str(count), style).append("   ")
    return line


def _note(view: TopUpView, now: datetime) -> str:
    offers = ", ".join(str(offer.plan_code) for offer in view.suggested_offers or ())
    if view.phase is Phase.REFUNDED and offers:
        return f"offers: {offers}" if view.offers_only else f"money back; fits the line: {offers}"
    if view.final or view.needs_review:
        return note_of(view)
    doing = f"waits for {view.hold_reason}, tries again" if view.hold_reason else _DOING[view.phase]
    return doing if view.phase is Phase.ACCEPTED else f"{doing} {next_look(view, now)}"


def _act_line(act: Act) -> Table:
    line = Table.grid(padding=(0, 2))
    line.add_column(justify="right", width=8, style="dim")
    line.add_column(overflow="fold")
    line.add_row(f"{act.at:.1f} s", Text(act.text, "bold red" if act.blow else "bold"))
    return line


def _lights(board: Board) -> Text:
    line = Text(f"{board.seconds:6.1f} s  ", "dim")
    for name, is_on in board.lights.items():
        line.append("● " if is_on else "✗ ", "green" if is_on else "bold red")
        line.append(f"{name}   ", "" if is_on else "bold red")
    return line
