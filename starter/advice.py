"""What an order's phase asks of a person: one sentence, often with the command to run."""

from topups import HoldReason, Phase, TopUpView

START_A_WORKER = "start one with `python worker.py`; nothing is lost meanwhile"
NO_WORKER = f"no worker answered; shown from Temporal's records, which know the phase only: {START_A_WORKER}"

_HOLDS = {
    HoldReason.BALANCE: "top up the OneClickDZ balance",
    HoldReason.CREDENTIALS: "give the worker a key that works (its log says which setting)",
    HoldReason.RATE_LIMIT: "nothing to do: the provider's rate limit passes",
    HoldReason.UNREACHABLE: "nothing to do when the provider is down; else see the worker's network",
    HoldReason.PLAN_DISABLED: "the provider has switched the plan off; wait, or cancel and use another plan",
    HoldReason.CLOCK_SKEW: "set the clock of the worker's host",
}


def advice(view: TopUpView) -> list[str]:
    """Return what a person may do now; nothing for an order that is delivered or goes on by itself."""
    if view.final:
        return _when_final(view)
    lines: list[str] = []
    match view.phase:
        case Phase.ON_HOLD:
            lines += _when_held(view)
        case Phase.UNKNOWN_ERROR:
            lines.append(f"don't refund before it is REFUNDED; `topup recheck {view.ref}` asks the provider now")
    if view.needs_review and view.phase is not Phase.ON_HOLD:
        lines.append(f"when you know the outcome: `topup resolve {view.ref} --as FULFILLED --note …`")
    return [*lines, f"`topup watch {view.ref}` shows how it goes on"]


def _when_held(view: TopUpView) -> list[str]:
    lines = [_HOLDS[view.hold_reason]] if view.hold_reason else []
    return [*lines, f"`topup cancel {view.ref} --reason …` withdraws it"]


def _when_final(view: TopUpView) -> list[str]:
    watched = ["`topup audits` shows whether the provider has come to say the same"] if view.resolved_by else []
    return [*_when_ended(view), *watched]


def _when_ended(view: TopUpView) -> list[str]:
    if view.delivered:
        return []
    match view.phase:
        case Phase.REFUNDED if view.suggested_offers:
            return ["the line needs one of the offers above: send one with a new ref"]
        case Phase.REFUNDED:
            return ["show the message to the customer; another try needs a new ref"]
        case Phase.REJECTED:
            return ["nothing was created at the provider; mend the cause, then send with a new ref"]
        case _:
            return []
