"""What time it is to a machine: its host tells it, nothing here asks."""

from __future__ import annotations

from math import isfinite

from dcl_comms_core.errors import LocalProtocolError

__all__ = ["Clock"]


class Clock:
    """The latest time that a machine was told.  It never goes back."""

    __slots__ = ("now", "origin", "unix_offset")

    def __init__(self) -> None:
        self.now = 0.0
        """Monotonic seconds of the host."""
        self.origin = 0.0
        """When what is timed began: stamps that go out count from there."""
        self.unix_offset: float | None = None
        """What makes unix seconds of ``now``; None: there is no wall clock."""

    def pass_time(self, now: float | None) -> None:
        """Let time pass; None: none did.  LocalProtocolError: that is no number of seconds."""
        if now is None or now == self.now:
            return
        if not isfinite(now):
            msg = "now is a finite number of seconds"
            raise LocalProtocolError(msg)
        self.now = max(now, self.now)

    def set_unix(self, offset: float) -> None:
        """Set the wall clock: what a ClockSet says.  LocalProtocolError: that is no number of seconds."""
        if not isfinite(offset):
            msg = "ClockSet takes a finite number of seconds"
            raise LocalProtocolError(msg)
        self.unix_offset = offset

    def unix_now(self) -> float | None:
        """Unix seconds; None: there is no wall clock."""
        return None if self.unix_offset is None else self.now + self.unix_offset

    def later(self, now: float | None) -> float:
        """This time or the latest that was told, whichever is later; nothing passes."""
        return self.now if now is None else max(now, self.now)
