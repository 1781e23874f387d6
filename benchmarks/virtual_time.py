"""An event loop whose clock jumps to whatever is due next, so that minutes of waiting take no time at all."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


class VirtualLoop(asyncio.SelectorEventLoop):
    """Nothing but the program itself may be waited for: no sockets, no processes. Threads are run at once, in line."""

    def __init__(self) -> None:
        self._clock = _Jumping()
        super().__init__(self._clock)
        self.set_default_executor(_InLine())

    def time(self) -> float:
        """Seconds since the loop began."""
        return self._clock.seconds


class _Jumping(selectors.SelectSelector):
    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.seconds += max(timeout or 0.0, 0.0)
        return super().select(0)


class _InLine(ThreadPoolExecutor):
    """While a thread worked, the clock would jump on."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        answer: Future[T] = Future()
        try:
            answer.set_result(fn(*args, **kwargs))
        except Exception as error:
            answer.set_exception(error)
        return answer


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run it on a loop of its own, from a thread without one."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
