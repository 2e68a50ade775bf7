"""How much came in the last seconds: bins of a second, and rates that fade."""

from __future__ import annotations

from math import exp, floor
from typing import Final

__all__ = ["SPARK", "Bins", "Fading"]

SPARK: Final = 30
"""Seconds that bins go back."""
_FADE: Final = 3.0
"""Seconds in which a rate falls to a third."""


class Bins:
    """Counts of the last 30 s, a second each."""

    __slots__ = ("_bytes", "_packets", "_second")

    def __init__(self) -> None:
        self._second = 0
        self._packets = [0] * SPARK
        self._bytes = [0] * SPARK

    def add(self, t: float, size: int) -> None:
        """Count a packet."""
        second = floor(t)
        if second != self._second:
            self._advance(second)
        at = second % SPARK
        self._packets[at] += 1
        self._bytes[at] += size

    def _advance(self, second: int) -> None:
        """What lies between is empty.  Time that goes back, as in another recording, begins anew."""
        gap = second - self._second
        for back in range(min(gap, SPARK) if gap > 0 else SPARK):
            at = (second - back) % SPARK
            self._packets[at] = self._bytes[at] = 0
        self._second = second

    def spark(self, t: float) -> list[int]:
        """Packets in each of the last 30 s, the newest last."""
        self._look(t)
        return [self._packets[(self._second - back) % SPARK] for back in range(SPARK - 1, -1, -1)]

    def history(self, t: float) -> list[tuple[int, int, int]]:
        """The same, with when and with bytes."""
        self._look(t)
        seconds = range(self._second - SPARK + 1, self._second + 1)
        return [(second, self._packets[second % SPARK], self._bytes[second % SPARK]) for second in seconds]

    def per_second(self, t: float, over: int = 3) -> tuple[float, float]:
        """Packets and bytes a second, over the last whole seconds."""
        self._look(t)
        places = [(self._second - back) % SPARK for back in range(1, over + 1)]
        return sum(self._packets[at] for at in places) / over, sum(self._bytes[at] for at in places) / over

    def _look(self, t: float) -> None:
        second = floor(t)
        if second > self._second:
            self._advance(second)


class Fading:
    """Rates by name, which fade."""

    __slots__ = ("_rates",)

    def __init__(self) -> None:
        self._rates: dict[str, tuple[float, float]] = {}

    def add(self, name: str, t: float) -> None:
        """Count one."""
        rate, before = self._rates.get(name, (0.0, t))
        self._rates[name] = rate * exp(min(before - t, 0.0) / _FADE) + 1.0 / _FADE, t

    def now(self, t: float) -> dict[str, float]:
        """Per second, of those that are not next to nothing."""
        rates = {name: rate * exp(min(before - t, 0.0) / _FADE) for name, (rate, before) in self._rates.items()}
        return {name: round(rate, 1) for name, rate in rates.items() if rate >= 0.05}  # noqa: PLR2004
