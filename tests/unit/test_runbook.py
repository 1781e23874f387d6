"""The runbook has a page for all that the code can say to an operator, so that it can't go stale."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from topups import HoldReason
from topups.models import FINAL, Phase

ROOT = Path(__file__).parents[2]
RUNBOOK = " ".join((ROOT / "docs" / "runbook.md").read_text().split())
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
ALERTS = [
    "OldestOpenOrder",
    "ConfirmingTooLong",
    "NeedsReview",
    "CredentialsRefused",
    "LowBalance",
    "NoWorker",
    "Audit",
]
CODE = [path for room in ("topups", "activities") for path in sorted((ROOT / room).glob("*.py"))]

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions() -> Iterator[Function]:
    for path in CODE:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, Function):
                yield node


def given(function: Function, keyword: str, calls: str) -> Iterator[ast.expr]:
    """What the function's calls of a name hand over under a keyword."""
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in calls.split():
            yield from (word.value for word in node.keywords if word.arg == keyword)


def texts(function: Function, value: ast.expr) -> Iterator[str]:
    """The texts an expression may be, also by way of a variable; what is filled in is shown as `…`."""
    match value:
        case ast.Constant(value=str() as text):
            yield text
        case ast.JoinedStr(values=parts):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in parts)
        case ast.BoolOp(values=values):
            yield from (text for one in values for text in texts(function, one))
        case ast.IfExp(body=body, orelse=other):
            yield from (text for one in (body, other) for text in texts(function, one))
        case ast.Name(id=name):
            for node in ast.walk(function):
                if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == [name]:
                    yield from texts(function, node.value)


def said(keyword: str, calls: str) -> set[str]:
    """All texts of ours under a keyword of some calls, anywhere."""
    found = {text for one in functions() for value in given(one, keyword, calls) for text in texts(one, value)}
    return {text for text in found if text.strip("…")}


REVIEW_REASONS = said("review_reason", "but") | said("why", "OtherAccount")
ERROR_CODES = said("code", "Refusal PlanRefused") | said("error_code", "but")


def is_named(text: str) -> bool:
    """Whether the runbook has the text, with anything where the code fills something in."""
    parts = [re.escape(part.strip(" '")) for part in text.split("…")]
    return re.search(r".{0,40}?".join(parts), RUNBOOK) is not None


@pytest.mark.parametrize("reason", sorted(REVIEW_REASONS))
def test_every_reason_for_a_review_is_in_the_runbook(reason: str) -> None:
    assert is_named(reason)


@pytest.mark.parametrize("code", sorted(ERROR_CODES))
def test_every_error_code_of_ours_is_in_the_runbook(code: str) -> None:
    assert f"`{code}`" in RUNBOOK


def test_the_code_s_words_were_really_found() -> None:
    assert len(REVIEW_REASONS) >= 9
    assert "Nobody knows whether this order was created; it is looked up on and on" in REVIEW_REASONS
    assert {"DELIVER_BY_PASSED", "REF_TAKEN", "NEVER_CREATED", "PLAN_AMOUNT"} <= ERROR_CODES
    assert not is_named("The provider shows … a reason that nobody ever gave")


def headings(page: Path) -> list[str]:
    return [line.lstrip("# ") for line in page.read_text().splitlines() if line.startswith("#")]


def test_every_alert_hold_and_phase_that_can_last_has_a_page_of_its_own() -> None:
    pages = [f"TopUp{alert}" for alert in ALERTS] + list(HoldReason) + [phase for phase in Phase if phase not in FINAL]
    assert set(pages) <= set(headings(ROOT / "docs" / "runbook.md"))


def anchor(heading: str) -> str:
    """As GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_of_the_docs_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if "://" in target:
            continue
        name, _, wanted = target.partition("#")
        file = page.parent / name if name else page
        assert file.exists(), target
        assert not wanted or wanted in {anchor(heading) for heading in headings(file)}, target
