"""How much a server says of one host: whoever connects again and again must not fill a disk with our words."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

LINES = 20
"""Lines about one host in a second: more than anybody reads."""
SECOND = 1.0


class Rate:
    """Lets so many lines a second through for each host, counts the others, and says then how many they were.

    `tell` is called with a host and a count when a line comes after its second is over, or with `flush`. From any thread.
    """

    def __init__(self, tell: Callable[[str, int], object], clock: Callable[[], float] = time.monotonic) -> None:
        self._tell = tell
        self._clock = clock
        self._lock = threading.Lock()
        self._seconds: dict[str, tuple[float, int]] = {}  # oldest first: when it began, and the lines since

    def allows(self, host: str) -> bool:
        """Whether another line about this host may be said now."""
        now = self._clock()
        self._end(now - SECOND)
        with self._lock:
            began, lines = self._seconds.get(host, (now, 0))
            self._seconds[host] = began, lines + 1
        return lines < LINES

    def flush(self) -> None:
        """Says what there is to say of the seconds that are not over."""
        self._end(float("inf"))

    def _end(self, latest: float) -> None:
        """Ends the seconds that began by then."""
        ended = []
        with self._lock:
            while self._seconds and (first := next(iter(self._seconds.items())))[1][0] <= latest:
                del self._seconds[first[0]]
                ended.append((first[0], first[1][1] - LINES))
        for host, left_out in ended:
            if left_out > 0:
                self._tell(host, left_out)
