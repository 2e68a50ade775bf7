"""What is said while no room is open: whether it waits, and for how long.

One rule for single rooms and for worlds, whichever machine looks for the room or repairs it: what is said from before
the first room on waits for it, in order, up to Limits.waiting_verbs and Limits.waiting_bytes, each for
Limits.waiting_seconds of one outage; what had waited for credit when the outage began waits so long from there.  What
is let go is counted, and told once in an outage.  Where we are and our profile's version are states and not words: the
newest is remembered for as long as it takes.
"""

from __future__ import annotations

from enum import Enum

__all__ = ["Away", "Outage"]


class Away(Enum):
    """What verbs do while no room is open, and one is looked for or repaired; ``move`` is remembered either way."""

    WAIT = "wait"
    """What is said waits, for so long and so much: see Limits.waiting_seconds."""
    RAISE = "raise"
    """NotInARoom."""


class Outage:
    """The times of one outage: the first begins before the first room is there."""

    __slots__ = ("_told", "seconds", "since")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        """How long one waits."""
        self._told = False
        self.since: float | None = None
        """When it began; None: there is none, or it began before there was a time."""

    def begin(self, now: float) -> None:
        """No room takes packets from now on; one that has begun goes on."""
        if self.since is None:
            self.since = now

    def over(self) -> None:
        """A room is back."""
        self.since = None
        self._told = False

    def due(self, said_at: float) -> float:
        """When what was said at this time has waited long enough."""
        return (said_at if self.since is None else max(said_at, self.since)) + self.seconds

    def told(self, count: int) -> str:
        """What is told of those that are let go."""
        return f"{count} packets waited {self.seconds:g} s for a room: let go, as is what follows (stats.lost)"

    def is_news(self) -> bool:
        """Whether that something is let go was not told yet in this outage; it is now."""
        told, self._told = self._told, True
        return not told
