"""Proof that the judge can see: workers with the mistakes of real integrations, in the same harness."""

from collections.abc import Callable
from pathlib import Path

from starter.local import temporal_program
from tests.chaos.campaign import Campaign
from tests.chaos.ground import Ground
from tests.chaos.judge import judge
from tests.chaos.plan import Scale, plan

# What leads each into its mistake: lost answers, orders that nobody knows the end of, a look-up that comes too early.
CONTROLS = {
    "blind-resend": "F4/send",
    "documented-loop": "F1/sleep",
    "duplicate-is-failure": "F4/send",
    "first-404": "F4/list",
}
# A bad worker may also be slow or leave orders open; it is caught when it is caught at this.
OF_MONEY = frozenset({"one_delivery", "one_ref", "true_phase", "wallet"})
RATE_LIMIT = 1_200
PATIENCE_SECONDS = 20.0


async def play_controls(
    folder: Path, seed: int, say: Callable[[str], None], *, coalesce: bool = True
) -> dict[str, list[str]]:
    """Play each one; what the judge said against it, by name. An empty list: it was not caught."""
    return {name: await play_control(name, folder / name, seed, say, coalesce=coalesce) for name in CONTROLS}


async def play_control(
    name: str, folder: Path, seed: int, say: Callable[[str], None], *, coalesce: bool = True
) -> list[str]:
    """Play one bad worker; return the violations of money that the judge found."""
    module = f"tests.chaos.variants {name}"
    ground = Ground(folder, await temporal_program(), rate_limit=RATE_LIMIT, module=module, coalesce=coalesce)
    scale = Scale(only=frozenset({CONTROLS[name]}))
    try:
        await Campaign(ground, plan(seed, scale), scale, _quiet, patience=PATIENCE_SECONDS, replays=False).run()
    finally:
        await ground.end()
    broken = [each for each in judge(folder).violations if each.invariant in OF_MONEY]
    found = [f"{each.invariant}: {each.sentence}" for each in broken]
    say(f"{name}: {len(found)} violations")
    return found


def _quiet(text: str) -> None:
    """What a control's rounds do is of no interest."""
