"""How much of something a connection may still do: tokens that come back one at a time."""

from __future__ import annotations

__all__ = ["Bucket"]


class Bucket:
    """Full until it is used first.  Times are whole milliseconds."""

    __slots__ = ("_burst", "_interval", "_since", "_tokens")

    def __init__(self, burst: int, interval: int) -> None:
        self._burst = burst
        self._interval = interval
        self._tokens = burst
        self._since: int | None = None

    def take(self, now: int) -> bool:
        """Use one; False: there is none."""
        since = self._since
        if since is None:
            self._since = now
        else:
            back = (now - since) // self._interval
            self._tokens = min(self._burst, self._tokens + back)
            # What is left of an interval counts towards the next one.
            self._since = since + back * self._interval
        if not self._tokens:
            return False
        self._tokens -= 1
        return True
