"""How long a packet and its acknowledgement are under way."""

from __future__ import annotations

from typing import Final

__all__ = ["RoundTrip"]

_SLOWER: Final = 4.0
"""How many times longer than the first a pause before sending again becomes, at most,"""
_SOON: Final = 0.5
"""or so many seconds;"""
_LATE: Final = 3.0
"""and it is never longer than this."""


class RoundTrip:
    """A smoothed round trip and how much it varies, as in TCP; the first sample counts whole."""

    __slots__ = ("_known", "least", "seconds", "variance")

    def __init__(self, first: float, least: float) -> None:
        self.seconds = first
        self.variance = 0.0
        self.least = least
        self._known = False

    def sample(self, seconds: float) -> None:
        """One round trip was measured."""
        if not self._known:
            self._known = True
            self.seconds = seconds
            self.variance = seconds / 2.0
            return
        off = abs(seconds - self.seconds)
        self.variance += (off - self.variance) / 4.0
        self.seconds += (seconds - self.seconds) / 8.0

    def patience(self, attempts: int) -> float:
        """Seconds to wait for an acknowledgement after a command was sent for the ``attempts``-th time.

        Each pause is twice the one before, so that a line that is full is not made fuller; up to a bound, so that one
        that loses a lot is not left alone for long.
        """
        first = max(self.seconds + 4.0 * self.variance, self.least)
        return min(first * (1 << min(attempts - 1, 8)), max(first * _SLOWER, _SOON), _LATE)
