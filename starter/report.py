"""How a report and audits look: a table on a terminal, CSV for a spreadsheet."""

import csv
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from starter.display import dzd, moment, table
from starter.output import print_block, said
from topups.books.differences import AuditView, Difference, Kind, Report

COLUMNS = ("kind", "ref", "topup_ids", "ours", "theirs", "our_amount", "their_amount", "at", "says", "done")
_STYLES = {
    Kind.TWO_RECORDS: "bold red",
    Kind.LATE_REVERSAL: "bold red",
    Kind.OTHER_STATUS: "bold magenta",
    Kind.UNKNOWN_TO_THEM: "red",
    Kind.OTHER_ORDER: "red",
    Kind.OTHER_AMOUNT: "yellow",
    Kind.UNKNOWN_TO_US: "yellow",
    Kind.BALANCE: "bold yellow",
}


def print_report(report: Report, to: Console) -> None:
    """Print what was compared, each difference and what was done about it."""
    many = f"{report.found} difference{'s' if report.found > 1 else ''}"
    verdict = Text(many, "bold red") if report.found else Text("no difference", "bold green")
    account = f", account {report.account}" if report.account else ""
    line = verdict.append(f"  {report.environment}{account}, {moment(report.since)} to {moment(report.until)}", "")
    to.print(line, soft_wrap=True)
    print_block(_facts(report), to, indent=2)
    for text in report.notes:
        to.print(Text("  note: ", "bold").append(said(text, to), ""), soft_wrap=True)
    if report.differences:
        print_block(differences_table(report.differences, to), to)
    if len(report.differences) < report.found:
        to.print(f"  and {report.found - len(report.differences)} more, about which nothing was done")


def _facts(report: Report) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    counted = f"{report.orders} orders, {report.records} records, {report.movements} transactions"
    if report.other_accounts:
        counted += f"; {report.other_accounts} orders belong to another account and were left out"
    grid.add_row("compared", counted)
    grid.add_row("asked", ", ".join(f"{name} {count}x" for name, count in sorted(report.requests.items())))
    if report.counts:
        grid.add_row("found", ", ".join(f"{kind} {count}" for kind, count in sorted(report.counts.items())))
    if report.woken:
        grid.add_row("woken", f"{report.woken} open orders whose status has moved")
    if report.passing:
        grid.add_row("passing", f"{report.passing} that were gone at a second look")
    if report.balance is not None:
        grid.add_row("balance", _balance(report))
    return grid


def _balance(report: Report) -> str:
    shown = report.balance
    if shown is None:
        return ""
    moved = ", ".join(f"{kind} {dzd(amount)}" for kind, amount in shown.moved.items())
    span = f"{dzd(shown.opening)} to {dzd(shown.closing)}; " if shown.closing is not None else ""
    whole = {True: "; it adds up", False: "; it does not add up", None: ""}[shown.explained]
    return f"{span}{moved}{whole}"


def differences_table(found: Iterable[Difference], to: Console) -> Table:
    """The table of a report."""
    made = table("KIND", "REF", "OURS", "THEIRS", "DONE")
    made.add_column("WHAT", overflow="fold", ratio=1)
    for one in found:
        ref = one.ref or " ".join(one.topup_ids)
        cells = (said(text, to) for text in (ref, one.ours or "-", one.theirs or "-", one.done, one.says))
        made.add_row(Text(one.kind.value, _STYLES[one.kind]), *cells)
    return made


def audits_table(found: Iterable[AuditView], to: Console) -> Table:
    """The table of `topup audits`."""
    made = table("REF", "OURS", "THEIRS", "REVIEW", "OPENED")
    made.add_column("WHY", overflow="fold", ratio=1)
    for one in found:
        review = Text("needs review", "bold red") if one.review_reason else ""
        why = said(one.review_reason or one.why, to)
        made.add_row(one.ref, one.ours, said(one.theirs or "-", to), review, moment(one.opened_at), why)
    return made


def write_csv(report: Report, path: Path) -> None:
    """Write one row a difference. Raises OSError."""
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        for one in report.differences:
            values = one.model_dump(mode="json")
            rows.writerow(_harmless(_cell(values[name])) for name in COLUMNS)


def _cell(value: object) -> str:
    if isinstance(value, list):
        return " ".join(map(str, value))
    return "" if value is None else str(value)


def _harmless(text: str) -> str:
    # A spreadsheet would run what a stranger's ref begins with.
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
