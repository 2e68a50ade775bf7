"""How long to wait before joining again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.tools.arguments import are_finite

if TYPE_CHECKING:
    from dcl_comms_core.tools.prng import Prng

__all__ = ["Backoff"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Pauses that grow from one attempt to the next, up to a longest one, each shortened by a random part.

    The randomness keeps the clients of a restarted server from coming back all at once.
    """

    initial: float = 1.0
    """Seconds before the first attempt."""
    factor: float = 2.0
    """How much longer each pause is than the one before."""
    maximum: float = 30.0
    """Seconds, the longest pause."""
    jitter: float = 0.5
    """The largest part of a pause that may be taken off: 0 never, 1 anything down to no pause."""
    attempts: int = 10
    """How often to try before giving up; counted anew once the room stayed open for Limits.stable_seconds."""

    def __post_init__(self) -> None:
        times = (self.initial, self.maximum, self.factor)
        if not (
            are_finite((*times, self.jitter), len(times) + 1)
            and isinstance(self.attempts, int)  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
            and min(self.initial, self.maximum) >= 0.0
            and self.factor >= 1.0
            and 0.0 <= self.jitter <= 1.0
            and self.attempts >= 0
        ):
            msg = "Backoff takes pauses in seconds from 0, a factor from 1, a jitter from 0 to 1, and attempts from 0"
            raise LocalProtocolError(msg)

    def pause(self, attempt: int, prng: Prng) -> float:
        """Seconds to wait before attempt number ``attempt``, counted from 1."""
        longest = self.maximum
        # Counted up rather than computed as a power, which overflows for large attempt numbers.
        pause = self.initial
        for _ in range(1, attempt):
            pause *= self.factor
            if pause >= longest:
                break
        return min(pause, longest) * (1.0 - self.jitter * prng.unit())
