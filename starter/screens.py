"""The three ways to show orders that are followed: a live table, a line per change, JSON lines."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from starter import output
from starter.display import age_of, next_look, note_of, phase_text, print_message, views_table
from topups import TopUpView

REFRESH_PER_SECOND = 4


class JsonLines:
    """One JSON object on stdout for each change of an order."""

    def show(self, view: TopUpView, *, changed: bool) -> None:
        if changed:
            output.print_json(view)

    def note(self, sentence: str) -> None:
        output.note(sentence)


class Lines:
    """One line for each change of an order: for pipes, logs and `--wait` without a terminal.

    `messages` adds the provider's words for the customer, where nothing else prints them.
    """

    def __init__(self, to: Console, *, messages: bool = False) -> None:
        self._to = to
        self._messages = messages

    def show(self, view: TopUpView, *, changed: bool) -> None:
        if not changed:
            return
        now = datetime.now(UTC)
        line = Text(f"{now:%H:%M:%S}Z  {view.ref}  ").append(phase_text(view.phase))
        for words in (age_of(view, now), output.said(note_of(view), self._to), _next(view, now)):
            line.append(f"  {words}" if words else "", "")
        self._to.print(line, soft_wrap=True)
        if self._messages and view.final:
            print_message(view, self._to)

    def note(self, sentence: str) -> None:
        output.note(sentence)


def _next(view: TopUpView, now: datetime) -> str:
    look = next_look(view, now)
    return f"next look {look}" if look else ""


class LiveTable:
    """A table that stays in its place; ages and waits go on between two looks."""

    def __init__(self, to: Console) -> None:
        self._to = to
        self._views: dict[str, TopUpView] = {}

    def show(self, view: TopUpView, *, changed: bool) -> None:
        del changed
        self._views[view.ref] = view

    def note(self, sentence: str) -> None:
        self._to.print(Text("topup: ", "yellow").append(output.said(sentence, self._to), ""))

    def print_messages(self) -> None:
        """Print what the provider wants the customers to read; a table would fold and reorder it."""
        for view in self._views.values():
            print_message(view, self._to)

    def render(self) -> RenderableType:
        """Return the table as it stands; where it is too high for the terminal, open orders come first."""
        now, room = datetime.now(UTC), max(1, self._to.height - 4)
        views = list(self._views.values())
        if not views:
            return Text("no open orders; new ones will show here (Ctrl-C ends)", "dim")
        shown = sorted(views, key=lambda view: view.final)[:room] if len(views) > room else views
        made = views_table(shown, self._to, now)
        if len(shown) < len(views):
            made.caption = f"and {len(views) - len(shown)} more"
        return made


@contextmanager
def live_table(to: Console, *, keep: bool) -> Iterator[LiveTable]:
    """Show a live table; `keep` leaves its last state on the screen."""
    table = LiveTable(to)
    refreshing = Live(
        get_renderable=table.render, console=to, refresh_per_second=REFRESH_PER_SECOND, transient=not keep
    )
    with refreshing:
        yield table
        refreshing.refresh()
    if keep:
        table.print_messages()
