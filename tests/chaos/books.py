"""Reads a run's folder and sorts the evidence by order."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from tests.chaos.invariants.evidence import Acceptance, Act, Body, End, Entry, Fault, Json, ProcessEvent, Story, instant
from tests.chaos.invariants.troubles import Troubles

_ENTRY_FIELDS = tuple(each.name for each in fields(Entry) if each.name not in {"seq", "at", "kind"})


@dataclass
class Books:
    """The evidence of one run. `strangers` are sends, orders and deliveries under a ref that nobody handed over."""

    entries: list[Entry] = field(default_factory=list)
    stories: dict[str, Story] = field(default_factory=dict)
    strangers: list[Entry] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    processes: list[ProcessEvent] = field(default_factory=list)
    troubles: dict[str | None, Troubles] = field(default_factory=dict)
    rules: Json = field(default_factory=dict)
    faults_stopped_at: float | None = None
    settled_at: float | None = None
    requests: dict[int, Entry] = field(default_factory=dict)

    @property
    def accepted(self) -> Iterator[Story]:
        """Orders that were acknowledged."""
        return (story for story in self.stories.values() if story.accepted)

    @property
    def over_at(self) -> float:
        """When the run ended, as far as anybody wrote it down."""
        last = self.entries[-1].at if self.entries else 0.0
        return max(last, self.faults_stopped_at or 0.0, self.settled_at or 0.0)

    def troubles_of(self, story: Story) -> Troubles:
        """What happened to those on whom this order leans."""
        if story.queue not in self.troubles:
            queues = {each.queue for each in self.stories.values() if each.queue}
            self.troubles[story.queue] = Troubles.of(self.processes, story.queue, queues)
        return self.troubles[story.queue]

    @property
    def reused(self) -> set[str]:
        """Orders whose ref the provider took again after a refund, because the run told it to."""
        return {ref for fault in self.faults if fault.window == "forgotten-and-reused" for ref in fault.targets}

    def asked_at(self, answer: Entry) -> float:
        """When the request of an answer arrived."""
        request = self.requests.get(answer.request_seq or 0)
        return request.at if request else answer.at


def read(folder: Path) -> Books:
    """Read everything in a run's folder; a file that is missing is an empty one."""
    books = Books()
    _read_client(folder, books)
    _read_diary(folder, books)
    for row in rows(folder / "ends.jsonl"):
        if row["ref"] in books.stories:
            books.stories[row["ref"]].end = _end(row)
    _read_ledger(folder, books)
    return books


def rows(path: Path) -> Iterator[Json]:
    """The rows of a file of JSON lines; a last line that was torn by a kill is left out."""
    if not path.exists():
        return
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if line.endswith("\n") and line.strip():
                yield json.loads(line)


def _read_client(folder: Path, books: Books) -> None:
    for row in rows(folder / "handed.jsonl"):
        story = books.stories.setdefault(row["ref"], Story(row["ref"]))
        story.handed.append(_body(row))
        story.queue = row.get("queue")
    for row in rows(folder / "accepted.jsonl"):
        story = books.stories.setdefault(row["ref"], Story(row["ref"]))
        story.accepted.append(Acceptance(instant(row["at"]), _body(row), _time(row.get("deliver_by"))))
    books.conflicts = [row["ref"] for row in rows(folder / "conflicts.jsonl")]


def _read_diary(folder: Path, books: Books) -> None:
    for row in rows(folder / "diary.jsonl"):
        at = instant(row["at"])
        match row["kind"]:
            case "begin":
                books.rules = row.get("rules") or {}
            case "process":
                books.processes.append(ProcessEvent(at, row["what"], row["name"], row.get("round")))
            case "fault":
                books.faults.append(_fault(row, at))
            case "act" if row["ref"] in books.stories:
                books.stories[row["ref"]].acts.append(_act(row, at))
            case "faults_stop":
                books.faults_stopped_at = at
            case "settled":
                books.settled_at = at
            case _:
                continue


def _read_ledger(folder: Path, books: Books) -> None:
    made: dict[str, Entry] = {}
    for row in rows(folder / "ledger.jsonl"):
        entry = Entry(row["seq"], instant(row["at"]), row["kind"], **{name: row.get(name) for name in _ENTRY_FIELDS})
        books.entries.append(entry)
        if entry.kind == "request":
            books.requests[entry.seq] = entry
        elif entry.kind == "commit" and entry.topup_id:
            made[entry.topup_id] = entry
        _file_page(entry, made, books)
        story = books.stories.get(entry.ref or "")
        if story:
            _file(story, entry)
        elif entry.kind in {"commit", "delivery", "refund"} or (entry.kind == "request" and entry.endpoint == "send"):
            books.strangers.append(entry)
    books.entries.sort(key=lambda entry: entry.seq)


def _file(story: Story, entry: Entry) -> None:
    # A look-up's request row carries what the provider found, also of a foreign record: only a send shows who sent it.
    is_look = entry.kind == "request" and entry.endpoint != "send"
    if not is_look and not story.body.owns(entry):
        story.foreign.append(entry)
        return
    match entry.kind:
        case "request":
            story.requests.append(entry)
        case "answer":
            story.answers.append(entry)
        case "commit":
            story.commits.append(entry)
        case "delivery":
            story.deliveries.append(entry)
        case "refund":
            story.refunds.append(entry)
        case _:
            return


def _file_page(page: Entry, made: dict[str, Entry], books: Books) -> None:
    """What a page shows of our orders, row by row."""
    for item in page.items or ():
        story, order = books.stories.get(item["ref"]), made.get(item["topup_id"])
        if story and order and story.body.owns(order):
            facts: Json = {"phone": order.phone, "plan_code": order.plan_code, "amount": order.amount}
            story.pages.append(replace(page, **(facts | item), items=None))


def _body(row: Json) -> Body:
    return Body(row["plan_code"], row["phone"], row.get("amount"))


def _act(row: Json, at: float) -> Act:
    return Act(at, row["act"], row["ref"], bool(row.get("ok")), row.get("outcome"), row.get("status"))


def _fault(row: Json, at: float) -> Fault:
    targets = tuple(row.get("targets") or ())
    return Fault(
        at,
        row["fault"],
        row.get("window") or "",
        row.get("endpoint"),
        targets,
        row.get("round"),
        bool(row.get("quiet")),
    )


def _end(row: Json) -> End:
    return End(
        read_at=instant(row["at"]),
        phase=row["phase"],
        final=bool(row.get("final")),
        error_code=row.get("error_code"),
        resolved=row.get("resolved_by") is not None,
        stale=bool(row.get("stale")),
        next_check_at=_time(row.get("next_check_at")),
        finished_at=_time(row.get("finished_at")),
        deliver_by=_time(row.get("deliver_by")),
    )


def _time(text: str | None) -> float | None:
    return instant(text) if text else None
