"""What operators watch of a worker: health, metrics, traces. Nothing here can stop, delay or change an order."""

from watch.health import KEY_ACCEPTED
from watch.watch import Watch

__all__ = ["KEY_ACCEPTED", "Watch"]
