"""One workflow per file; what they decide is in `topups.lifecycle`."""

from workflows.topup import TopUp

__all__ = ["TopUp"]
