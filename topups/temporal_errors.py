"""Temporal's errors, in words that say what to do next."""

from collections.abc import Iterator
from contextlib import contextmanager

from temporalio.service import RPCError, RPCStatusCode

from topups.errors import NoSuchOrder, NotAllowed, SetupNeeded, TemporalUnreachable

_GONE = frozenset(
    {
        RPCStatusCode.UNAVAILABLE,
        RPCStatusCode.DEADLINE_EXCEEDED,
        RPCStatusCode.CANCELLED,
        # A server that dies in the middle of a call, has no disk, or is overrun.
        RPCStatusCode.UNKNOWN,
        RPCStatusCode.INTERNAL,
        RPCStatusCode.ABORTED,
        RPCStatusCode.RESOURCE_EXHAUSTED,
    }
)


@contextmanager
def explained(*, ref: str | None = None, address: str | None = None) -> Iterator[None]:
    """Turn what the SDK raises for a dead server, a missing order or a missing attribute into our errors."""
    try:
        yield
    except RPCError as error:
        raise _translated(error, ref) from error
    except RuntimeError as error:
        if "client connect" not in str(error):
            raise
        raise TemporalUnreachable(
            f"Temporal can't be reached at {address or 'its address'}; set TEMPORAL_ADDRESS, or start it"
        ) from error
    except (ValueError, OSError) as error:
        if address is None:
            raise
        raise TemporalUnreachable(f"the settings for Temporal at {address} don't work: {error}") from error


_REFUSED = frozenset({RPCStatusCode.UNAUTHENTICATED, RPCStatusCode.PERMISSION_DENIED})


def _translated(error: RPCError, ref: str | None) -> Exception:
    if error.status in _GONE:
        return TemporalUnreachable(f"Temporal doesn't answer ({error.message}); the same call again is safe")
    if error.status in _REFUSED:
        return TemporalUnreachable(f"Temporal refuses these credentials ({error.message}); set TEMPORAL_API_KEY or TLS")
    if error.status is RPCStatusCode.NOT_FOUND and "namespace" in error.message.lower():
        return TemporalUnreachable(f"{error.message}; set TEMPORAL_NAMESPACE, or make the namespace")
    if error.status is RPCStatusCode.NOT_FOUND and "already completed" in error.message:
        return NotAllowed(f"{ref} has already reached its end")
    if error.status is RPCStatusCode.NOT_FOUND and ref is not None:
        return NoSuchOrder(f"no order with ref {ref} is known here")
    if "search attribute" in error.message.lower():
        return SetupNeeded(f"the namespace lacks search attributes; run `topup setup` ({error.message})")
    return error
