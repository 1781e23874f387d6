"""What a seed means."""

from collections import Counter

from tests.chaos.plan import BESIDE, HANDLING, LIES, WINDOWS, Plan, Scale, plan

FAULTS = {f"F{number}" for number in range(1, 18)}


def refs(ours: Plan) -> list[str]:
    return [order.ref for each in ours.rounds for order in each.orders]


def test_the_same_seed_plans_the_same_orders_and_faults() -> None:
    assert plan(7, Scale()) == plan(7, Scale())
    assert plan(7, Scale()).digest == plan(7, Scale()).digest


def test_another_seed_plans_something_else() -> None:
    assert plan(7, Scale()).digest != plan(8, Scale()).digest


def test_one_deck_has_every_fault_at_every_moment() -> None:
    kinds = Counter(each.kind for each in plan(1, Scale()).rounds)
    assert {fault for fault, _ in kinds} == FAULTS
    assert all(kinds[fault, window] for fault in ("F1", "F2") for window in WINDOWS)
    assert kinds["F2", "start"]
    assert kinds["F1", "page"] == kinds["F2", "page"] == 1
    assert all(kinds[kind] == 1 for kind in BESIDE)


def test_more_decks_and_more_kills_are_more_of_each() -> None:
    kinds = Counter(each.kind for each in plan(1, Scale(decks=3, kills_a_window=2)).rounds)
    assert kinds["F1", "committed"] == 6
    assert kinds["F4", "send"] == 3


def test_a_short_campaign_has_at_least_two_hundred_orders() -> None:
    assert all(plan(seed, Scale()).orders >= 200 for seed in range(50))


def test_no_two_orders_share_a_ref() -> None:
    every = refs(plan(3, Scale(decks=3)))
    assert len(every) == len(set(every))


def test_an_order_has_a_number_that_only_its_seed_and_round_have_unless_the_number_decides_its_fate() -> None:
    phones = [order.phone for each in plan(3, Scale()).rounds for order in each.orders]
    own = [phone for phone in phones if not phone.startswith("0600000")]
    assert len(own) == len(set(own))


def test_recovery_is_measured_for_sends_and_for_checks_in_every_deck() -> None:
    quiet = {each.kind for each in plan(5, Scale()).rounds if each.quiet}
    assert len(quiet) == 3
    assert ("F1", "polls") in quiet


def test_only_the_faults_that_were_asked_for_are_planned() -> None:
    kinds = {each.kind for each in plan(1, Scale(only=frozenset({"F3", "F4/send"}))).rounds}
    assert kinds == {("F3", "all"), ("F4", "send")}


def test_a_page_lies_in_every_way_to_orders_that_are_in_flight_together() -> None:
    rounds = plan(1, Scale(only=frozenset({"F17"}))).rounds
    assert {each.window for each in rounds} == set(LIES)
    assert all(8 <= len(each.orders) <= 12 for each in rounds)
    assert {order.phone for each in rounds for order in each.orders} == {HANDLING}
