"""The way back of a connection that was lost: tries ever more rarely, and two lines about it."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

from ..errors import DehazeError

__all__ = ["Reconnection"]

_FIRST_DELAY, _LONGEST_DELAY = 0.5, 30.0


class Reconnection:
    """Says when to try again, and tells of each loss and each return once.

    Args:
        name: of the connection, without its password.
        tell: called with one line for each loss and return.
        give_up: makes the error of a connection that stayed away, of words.
        advice: what to check where it did.
        give_up_seconds: time to wait for the return; None waits for ever.
    """

    def __init__(
        self,
        name: str,
        stop: threading.Event,
        *,
        tell: Callable[[str], None],
        give_up: type[DehazeError],
        advice: str,
        give_up_seconds: float | None = None,
    ) -> None:
        self.count = 0
        """How often it came back."""
        self._name = name
        self._stop = stop
        self._tell = tell
        self._give_up = give_up
        self._advice = advice
        self._patience = float("inf") if give_up_seconds is None else give_up_seconds
        self._lost_at: float | None = None
        self._delay = _FIRST_DELAY

    @property
    def is_lost(self) -> bool:
        return self._lost_at is not None

    def note_loss(self, reason: str) -> None:
        """Reports a loss, unless one has been since the last return."""
        if self._lost_at is None:
            self._tell(f"{self._name}: lost ({reason}); trying to reconnect")
            self._lost_at, self._delay = time.monotonic(), _FIRST_DELAY

    def wait(self, reason: str) -> bool:
        """Waits for the next try; False when the run is stopped meanwhile.

        Raises:
            DehazeError: of the type `give_up`, when it is to be given up.
        """
        assert self._lost_at is not None
        left = self._patience - (time.monotonic() - self._lost_at)
        if left <= 0:
            raise self._give_up(
                f"{self._name}: lost and not back within {self._patience:g} s ({reason}); "
                f"{self._advice}"
            )
        # Jitter: a hundred cameras behind one switch must not come back in step.
        if self._stop.wait(min(self._delay * random.uniform(0.5, 1), left)):
            return False
        self._delay = min(2 * self._delay, _LONGEST_DELAY)
        return True

    def note_return(self) -> None:
        """Reports a return, where there was a loss."""
        if self._lost_at is not None:
            self._tell(f"{self._name}: back after {time.monotonic() - self._lost_at:.1f} s")
            self._lost_at = None
            self.count += 1
