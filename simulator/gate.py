"""Who may come in: keys, the lock-out of an address, the rate limit of a key."""

import math
from collections import defaultdict, deque
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal

from simulator.answers import Refusal
from simulator.clock import Clock
from simulator.orders import Environment
from simulator.settings import Settings

WINDOW_SECONDS = 60.0
LIMIT_OF_ENVIRONMENT = {"SANDBOX": 60, "PRODUCTION": 120}
ATTEMPTS = 5
LOCKOUT_SECONDS = 900.0

FIRST_USERNAME = "+213665983439"
OTHER_USERNAME = "+213770112233"


@dataclass(frozen=True, slots=True)
class Key:
    """An access key. The key alone selects account and environment."""

    token: str
    username: str
    environment: Environment
    scope: Literal["READ-WRITE", "READ-ONLY"] = "READ-WRITE"
    is_enabled: bool = True

    def wire(self) -> dict[str, Any]:
        """The ``data`` of ``/validate``."""
        return {
            "username": self.username,
            "apiKey": {
                "key": self.token,
                "isEnabled": self.is_enabled,
                "type": self.environment,
                "allowedips": [],
                "scope": self.scope,
            },
        }


KEYS = {
    key.token: key
    for key in (
        Key("sandbox-key", FIRST_USERNAME, "SANDBOX"),
        Key("production-key", FIRST_USERNAME, "PRODUCTION"),
        Key("other-sandbox-key", OTHER_USERNAME, "SANDBOX"),
        Key("other-production-key", OTHER_USERNAME, "PRODUCTION"),
        Key("readonly-key", FIRST_USERNAME, "SANDBOX", scope="READ-ONLY"),
        Key("disabled-key", FIRST_USERNAME, "SANDBOX", is_enabled=False),
        # Further keys of the first account, for whoever changes keys while orders are under way.
        *(Key(f"sandbox-key-{number}", FIRST_USERNAME, "SANDBOX") for number in range(2, 1_000)),
    )
}


def name_of(token: str | None) -> str | None:
    """A known key's name; a strange key only as a fingerprint, for it may be somebody's real one."""
    if token is None or token in KEYS:
        return token
    return f"unknown-{sha256(token.encode()).hexdigest()[:8]}"


class Gate:
    """Admits a request or refuses it.

    Five bad attempts block the address for 15 min (/en/api-reference/core/validate-token). Assumed: attempts
    older than that are forgotten, a good key doesn't wipe them out, a request without a key counts too.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._bad: defaultdict[str, deque[float]] = defaultdict(deque)
        self._taken: defaultdict[str, deque[float]] = defaultdict(deque)

    def admit(self, token: str | None, address: str) -> Key:
        """The key behind ``token``. Raises Refusal: 401, 403 IP_BLOCKED or API_DISABLED, 429."""
        if self._attempts_left(address) <= 0:
            raise Refusal("IP_BLOCKED")
        key = KEYS.get(token or "")
        if key is None:
            self._bad[address].append(self._clock())
            code = "INVALID_ACCESS_TOKEN" if token else "MISSING_ACCESS_TOKEN"
            raise Refusal(code, details={"attemptsLeft": self._attempts_left(address)})
        if not key.is_enabled:
            raise Refusal("API_DISABLED")
        self._take(key)
        return key

    def forgive(self) -> None:
        """Forget every bad attempt."""
        self._bad.clear()

    def _attempts_left(self, address: str) -> int:
        bad = self._bad[address]
        while bad and bad[0] <= self._clock() - LOCKOUT_SECONDS / self._settings.speed:
            bad.popleft()
        return ATTEMPTS - len(bad)

    def _take(self, key: Key) -> None:
        limit = self._settings.rate_limit
        if limit is None:
            limit = LIMIT_OF_ENVIRONMENT[key.environment]
        taken, now = self._taken[key.token], self._clock()
        while taken and taken[0] <= now - WINDOW_SECONDS:
            taken.popleft()
        if limit and len(taken) >= limit:
            wait = max(1, math.ceil(taken[-limit] + WINDOW_SECONDS - now))
            raise Refusal("RATE_LIMIT_EXCEEDED", headers={"Retry-After": str(wait)})
        taken.append(now)
