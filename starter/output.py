"""What leaves the command: JSON and results on stdout, sentences about trouble on stderr."""

import json
import re
import sys
import unicodedata
from collections.abc import Sequence

from pydantic import BaseModel
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.text import Text

# Wide enough that nothing is cut or folded where a program reads.
PIPE_WIDTH = 240
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_ISOLATE, _END = "\u2068", "\u2069"


class Out(Console):
    """A console that lets the command know when its reader has left."""

    def on_broken_pipe(self) -> None:
        """Rich would end the process here."""
        raise BrokenPipeError


def console(*, stderr: bool = False) -> Console:
    """Return a console for results, or for sentences about trouble."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else PIPE_WIDTH
    return Out(stderr=stderr, width=width, highlight=False, markup=False, emoji=False)


def complain(sentences: Sequence[str], hint: str | None = None) -> None:
    """Say on stderr what is wrong, a line each, and what to do next."""
    err = console(stderr=True)
    for sentence in sentences:
        err.print(Text("topup: ", "bold red").append(said(sentence, err), ""), soft_wrap=True)
    if hint:
        err.print(Text("  next: ", "bold").append(said(hint, err), ""), soft_wrap=True)


def note(sentence: str) -> None:
    """Say something on stderr that is no error."""
    err = console(stderr=True)
    err.print(Text("topup: ", "yellow").append(said(sentence, err), ""), soft_wrap=True)


def print_json(value: BaseModel) -> None:
    """Print one object as one line: times ISO 8601 UTC, absent as null, Arabic as it is."""
    sys.stdout.write(json.dumps(value.model_dump(mode="json"), ensure_ascii=False) + "\n")
    sys.stdout.flush()


def said(text: str, to: Console) -> str:
    """Return somebody else's words for one line: verbatim into a pipe, harmless and isolated on a terminal.

    A terminal must obey no control characters of a stranger, and Arabic within a line must not reorder its rest.
    """
    if not to.is_terminal:
        return text
    text = _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text).replace("\n", " ")
    return f"{_ISOLATE}{text}{_END}" if is_right_to_left(text) else text


def is_right_to_left(text: str) -> bool:
    """Tell whether a text holds Arabic or Hebrew letters."""
    return any(unicodedata.bidirectional(letter) in {"R", "AL"} for letter in text)


def print_verbatim(text: str, to: Console) -> None:
    """Print a text on lines of its own, unwrapped: each terminal orders and joins Arabic best by itself."""
    shown = _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text) if to.is_terminal else text
    to.print(Text(shown), soft_wrap=True)


def print_block(block: RenderableType, to: Console, *, indent: int = 0) -> None:
    """Print a table. Into a pipe it goes without the spaces that fill up its lines."""
    block = Padding(block, (0, 0, 0, indent), expand=False)
    if to.is_terminal:
        to.print(block)
        return
    with to.capture() as captured:
        to.print(block)
    lines = [line.rstrip() for line in captured.get().rstrip("\n").split("\n")]
    to.print(Text("\n".join(lines)), soft_wrap=True)
