"""A round that a busy machine spoilt is played once more; only a second failure is a finding."""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from starter.processes import NotReady
from tests.chaos.diary import Diary
from tests.chaos.invariants.made_up import Run
from tests.chaos.plan import Round, Scale, plan
from tests.chaos.report import report_of
from tests.chaos.rounds import Rounds


@pytest.fixture
def diary(tmp_path: Path) -> Iterator[Diary]:
    with closing(Diary(tmp_path / "diary.jsonl")) as diary:
        yield diary


class Stage:
    """Plays rounds that fail, or meet nobody, as often as they are told to."""

    def __init__(self, diary: Diary, *, failures: int = 0, windows: Iterable[str] | None = None) -> None:
        self.diary = diary
        self.failures = failures
        self.windows = windows
        self.played: list[Round] = []
        self.mended: list[Round] = []
        self.rounds = Rounds(self._play, self._mend, self.diary, lambda _: None)

    async def _play(self, each: Round) -> None:
        self.played.append(each)
        if len(self.played) <= self.failures:
            raise NotReady("the machine was busy")
        for window in self.windows if self.windows is not None else [each.window]:
            refs = [order.ref for order in each.orders]
            self.diary.write(kind="fault", round=each.number, fault=each.fault, window=window, targets=refs)

    async def _mend(self, each: Round) -> None:
        self.mended.append(each)

    def run(self, *rounds: Round) -> list[Round]:
        """Play everything and return what was played again."""
        return asyncio.run(self._run(rounds))

    async def _run(self, rounds: tuple[Round, ...]) -> list[Round]:
        for each in rounds:
            await self.rounds.play(each)
        again = list(self.rounds.to_repeat(rounds))
        for each in again:
            await self.rounds.play(each)
        return again


def a_round(kind: str) -> Round:
    return plan(1, Scale(only=frozenset({kind}))).rounds[0]


def test_a_round_that_went_well_is_played_once(diary: Diary) -> None:
    stage = Stage(diary)
    assert stage.run(a_round("F1/committed")) == []
    assert len(stage.played) == 1


def test_a_round_that_failed_is_mended_and_played_again_with_orders_and_a_number_of_its_own(diary: Diary) -> None:
    stage = Stage(diary, failures=1)
    first, second = a_round("F1/committed"), *stage.run(a_round("F1/committed"))
    assert stage.mended == [first]
    assert second.number != first.number
    assert not {order.ref for order in first.orders} & {order.ref for order in second.orders}
    assert [order.amount for order in first.orders] == [order.amount for order in second.orders]


def test_a_round_that_met_nobody_is_played_again(diary: Diary) -> None:
    assert len(Stage(diary, windows=()).run(a_round("F1/committed"))) == 1


@pytest.mark.parametrize(("windows", "again"), [(("late", "prefixed", "list"), 0), (("late", "list"), 1)])
def test_every_part_of_a_round_must_have_met_somebody(diary: Diary, windows: tuple[str, ...], again: int) -> None:
    assert len(Stage(diary, windows=windows).run(a_round("F6"))) == again


def test_what_this_machine_can_not_do_is_not_tried_again(diary: Diary) -> None:
    each = a_round("F10/hour-ahead")
    diary.write(kind="skipped", fault=each.fault, window=each.window, why="no libfaketime")
    assert Stage(diary, windows=()).run(each) == []


def test_a_mistake_of_the_campaign_itself_is_not_forgiven(diary: Diary) -> None:
    async def play(each: Round) -> None:
        raise KeyError(each.name)

    async def mend(each: Round) -> None:
        """Nothing to do."""

    with pytest.raises(KeyError):
        asyncio.run(Rounds(play, mend, diary, lambda _: None).play(a_round("F1/committed")))


@pytest.mark.parametrize(("failures", "clean"), [(1, True), (2, False)])
def test_one_failure_is_reported_and_a_second_one_is_a_finding(diary: Diary, failures: int, clean: bool) -> None:
    Run(diary.path.parent).delivered("order-1").verdict()
    each = a_round("F1/committed")
    Stage(diary, failures=failures).run(each)
    report = report_of(diary.path.parent)
    assert report.clean is clean
    assert report.failed == [f"round {each.name} failed: NotReady: the machine was busy"]
    assert [found.invariant for found in report.violations] == ["round"] * (failures - 1)
