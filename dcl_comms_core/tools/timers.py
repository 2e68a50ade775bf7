"""A handful of named timers with one deadline."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dcl_comms_core.states import Timer

__all__ = ["Timers", "earliest"]


def earliest(timers: Iterable[tuple[Timer, float | None]]) -> dict[Timer, float]:
    """Of timers of several owners the first of each name; those that are due at None don't run."""
    due: dict[Timer, float] = {}
    for timer, when in timers:
        if when is not None:
            due[timer] = min(when, due.get(timer, when))
    return due


class Timers:
    """At most one due time per name; the earliest is kept at hand, so that asking for it costs nothing."""

    __slots__ = ("_due", "deadline", "reason")

    def __init__(self) -> None:
        self._due: dict[Timer, float] = {}
        self.deadline: float | None = None
        self.reason: Timer | None = None

    def arm(self, timer: Timer, when: float) -> None:
        """Set or move a timer."""
        self._due[timer] = when
        self._refresh()

    def hasten(self, timer: Timer, when: float) -> None:
        """Bring a timer that runs forward to ``when``, if that is earlier."""
        self.arm(timer, min(when, self._due[timer]))

    def due(self) -> dict[Timer, float]:
        """All that run, and when each is due."""
        return dict(self._due)

    def armed(self, timer: Timer) -> bool:
        """Whether this timer runs."""
        return timer in self._due

    def disarm(self, timer: Timer) -> None:
        """Stop a timer that runs."""
        del self._due[timer]
        self._refresh()

    def clear(self) -> None:
        """Stop all."""
        self._due.clear()
        self._refresh()

    def pop_due(self, now: float) -> Timer | None:
        """Take out the earliest timer that is due, if there is one."""
        reason = self.reason
        if reason is None or self._due[reason] > now:
            return None
        self.disarm(reason)
        return reason

    def _refresh(self) -> None:
        self.reason = min(self._due, key=self._due.__getitem__, default=None)
        self.deadline = None if self.reason is None else self._due[self.reason]
