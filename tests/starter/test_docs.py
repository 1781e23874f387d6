"""Every command in the operator's pages is one that `topup` takes."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.starter.fakes import Desk, view
from topups import Phase

DOCS = Path(__file__).parents[2] / "docs"
# A command at a prompt, with the lines that go on from it, or one within a sentence.
AT_A_PROMPT = re.compile(r"^\$ (topup (?:.*\\\n)*.*)$", re.MULTILINE)
IN_A_SENTENCE = re.compile(r"`(topup [^`]+)`")
ENDS = {"FULFILLED": Phase.FULFILLED, "REFUNDED": Phase.REFUNDED, "NOT_CREATED": Phase.REJECTED}


def commands(page: str) -> Iterator[str]:
    text = (DOCS / page).read_text()
    for found in (*AT_A_PROMPT.findall(text), *IN_A_SENTENCE.findall(text)):
        command = " ".join(found.replace("\\\n", " ").split("#")[0].split("|")[0].split(">")[0].split())
        # "`topup list …`" and "`topup resolve`" speak of a command and are none.
        if len(command.split()) > 2 and not re.search(r"^topup \S+ …", command):
            yield command


@pytest.mark.parametrize("command", sorted({*commands("desk.md"), *commands("runbook.md")}))
def test_a_command_of_the_docs_is_taken_as_it_stands(topup: Desk, command: str) -> None:
    _, *argv = shlex.split(command)
    argv = ["order-1042" if word == "REF" else word for word in argv]
    meant = next((end for name, end in ENDS.items() if name in argv), Phase.CANCELLED)
    topup.orders.scripts = {word: [view(meant, word)] for word in argv}
    answer = topup(*argv)
    assert answer.code == 0, (command, answer.err)


def test_the_commands_of_the_docs_were_really_found() -> None:
    assert len({*commands("desk.md"), *commands("runbook.md")}) > 25
