"""What all contestants share: the order, what one request to the provider tells, and the claims for the judge.

Nothing here is durable: keeping an order alive between two requests is each contestant's own part.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from random import SystemRandom
from typing import Literal

from pydantic_settings import BaseSettings, SettingsConfigDict

from oneclickdz import (
    NotFound,
    NothingCreated,
    OneClickDZ,
    OneClickDZError,
    PerhapsCreated,
    Refused,
    SaysNothing,
    TopUpRecord,
)

KEY = "sandbox-key"
PLAN = "PREPAID_DJEZZY"
AMOUNT = 100
# The rhythm that the provider asks for, and ours: 5 s after the send, then every 5 to 10 s.
FIRST_CHECK_SECONDS = 5.0
NEXT_CHECK_SECONDS = (5.0, 10.0)
# A redelivery of Celery's must never come sooner than a wait ends, so no wait is longer than this.
LONGEST_WAIT_SECONDS = 20.0

Outcome = Literal["delivered", "failed"]

_OUTCOMES: dict[str, Outcome] = {"FULFILLED": "delivered", "REFUNDED": "failed"}
_random = SystemRandom()


@dataclass(frozen=True)
class Order:
    """One order. Each has a phone of its own, so that the judge knows it under whatever ref it was sent."""

    ref: str
    phone: str


@dataclass(frozen=True)
class Seen:
    """What one request told: the true end, or else whether a record may exist and how many seconds to wait."""

    outcome: Outcome | None = None
    may_exist: bool = False
    topup_id: str | None = None
    wait: float = 0.0


class RivalSettings(BaseSettings):
    """A rival's worker: the provider's address, the client's shared state, its storage's URL, where it claims."""

    model_config = SettingsConfigDict(env_prefix="RIVAL_")

    base_url: str
    state_dir: Path
    rate_limit: int
    storage: str
    claims: Path

    def provider(self) -> OneClickDZ:
        """The same client as ours."""
        return OneClickDZ(
            token=KEY,
            environment="sandbox",
            state_dir=self.state_dir,
            base_url=self.base_url,
            rate_limit=self.rate_limit,
        )

    def environment(self) -> dict[str, str]:
        """These settings as a child's variables."""
        return {f"RIVAL_{name.upper()}": str(value) for name, value in self.model_dump().items()}


async def ask(provider: OneClickDZ, order: Order, *, may_exist: bool, topup_id: str | None) -> Seen:
    """Send an order that surely doesn't exist, look up any other. One call is one request at most."""
    return await _look_up(provider, order, topup_id) if may_exist else await _send(provider, order)


async def _send(provider: OneClickDZ, order: Order) -> Seen:
    try:
        accepted = await provider.send(
            plan_code=PLAN, phone=order.phone, amount=AMOUNT, ref=order.ref, may_leave=_always
        )
    except Refused:
        return Seen(outcome="failed")
    except NothingCreated as error:
        return Seen(wait=_wait(error))
    except PerhapsCreated:
        return Seen(may_exist=True, wait=FIRST_CHECK_SECONDS)
    return Seen(may_exist=True, topup_id=accepted.topup_id, wait=FIRST_CHECK_SECONDS)


async def _look_up(provider: OneClickDZ, order: Order, topup_id: str | None) -> Seen:
    try:
        record = await (provider.check_id(topup_id) if topup_id else provider.check_ref(order.ref))
    except NotFound:
        # Sent again with the same ref, which the provider refuses where its own look-up was late.
        return Seen(may_exist=topup_id is not None, topup_id=topup_id, wait=FIRST_CHECK_SECONDS if topup_id else 0.0)
    except SaysNothing as error:
        return Seen(may_exist=True, topup_id=topup_id, wait=_wait(error))
    return _read(record, topup_id)


def _read(record: TopUpRecord, topup_id: str | None) -> Seen:
    outcome = _OUTCOMES.get(record.status)
    wait = 0.0 if outcome else _random.uniform(*NEXT_CHECK_SECONDS)
    return Seen(outcome=outcome, may_exist=True, topup_id=topup_id or record.id, wait=wait)


def _wait(error: OneClickDZError) -> float:
    return min(max(error.retry_after or FIRST_CHECK_SECONDS, 1.0), LONGEST_WAIT_SECONDS)


def _always() -> None:
    """No rival has a `deliver_by`."""


def claim(file: Path, ref: str, outcome: Outcome) -> None:
    """Write down how an order ended; a second time is harmless."""
    with file.open("a", encoding="utf-8") as claims:
        claims.write(json.dumps({"ref": ref, "outcome": outcome}) + "\n")


def read_claims(file: Path) -> dict[str, Outcome]:
    """The last claim of each ref; a line that is still being written is left out."""
    if not file.exists():
        return {}
    whole, _, _ = file.read_text(encoding="utf-8").rpartition("\n")
    return {row["ref"]: row["outcome"] for row in map(json.loads, whole.splitlines())}


def as_json(order: Order) -> dict[str, str]:
    """For storages that keep JSON."""
    return asdict(order)
