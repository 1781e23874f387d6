"""What can go wrong for a caller, one class per thing the caller does differently.

TopUpError
├── InvalidTopUp       the order breaks a rule of syntax; nothing was started
│   └── InvalidFilter  what a list shall show breaks one; nothing was asked
├── RefConflict        this ref already belongs to another order; nothing was started
├── NoSuchOrder        no order with this ref is known here
├── NotAllowed         the order's phase forbids what was asked; nothing changed
├── StillOpen          the wait ended before the order did; the order goes on
├── NotConfirmed       no worker answered in time; the request may still be taken
├── OrderInterrupted   somebody terminated or broke the order's run; reopen it
├── TemporalUnreachable  nothing could be asked or recorded; the same call again is safe
└── SetupNeeded        this side lacks something before any order can be handled
    └── KeysMissing    the payloads are encrypted and no key was given
"""


class TopUpError(Exception):
    """Base of every error that this package raises on purpose."""


class InvalidTopUp(TopUpError):
    """The order breaks a rule of syntax: a sentence for each field. Nothing was started."""

    def __init__(self, problems: dict[str, str]) -> None:
        self.problems = problems
        super().__init__("; ".join(f"{field}: {sentence}" for field, sentence in problems.items()))


class InvalidFilter(InvalidTopUp):
    """What a list shall show breaks a rule of syntax: a sentence for each field. Nothing was asked."""


class RefConflict(TopUpError):
    """The ref already belongs to an order with another plan, phone, amount or environment."""


class NoSuchOrder(TopUpError):
    """No order with this ref is known in this namespace."""


class NotAllowed(TopUpError):
    """Refused in the order's phase, and why. Nothing changed."""


class StillOpen(TopUpError):
    """The wait ended before the order did. The order goes on by itself."""


class NotConfirmed(TopUpError):
    """No worker answered in time. What was asked may still be taken: run it again."""


class OrderInterrupted(TopUpError):
    """The order's run was terminated, timed out or failed; `topup reopen` goes on with it."""


class TemporalUnreachable(TopUpError):
    """Temporal can't be reached. Nothing is known of what was asked; asking again is safe."""


class SetupNeeded(TopUpError):
    """The namespace or this client lacks something; the text names the command that mends it."""


class KeysMissing(SetupNeeded):
    """Payloads are encrypted and this client has no key for them."""
