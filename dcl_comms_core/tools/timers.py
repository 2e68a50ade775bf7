"""A handful of named timers with one deadline."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final

from dcl_comms_core.states import Timer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["Timers", "earlier", "earliest"]

_TIMERS: Final = tuple(Timer)


def earlier(one: float | None, other: float | None) -> float | None:
    """The earlier of two times, of which None is never."""
    return one if other is None or (one is not None and one <= other) else other


def earliest(timers: Iterable[tuple[Timer, float | None]]) -> dict[Timer, float]:
    """Of timers of several owners the first of each name; those that are due at None don't run."""
    due: dict[Timer, float] = {}
    for timer, when in timers:
        if when is not None:
            due[timer] = min(when, due.get(timer, when))
    return due


class Timers:
    """At most one due time per name; the earliest is kept at hand, so that asking for it costs nothing.

    Of those that are due at the same time, the one goes first that Timer names first.
    """

    __slots__ = ("_due", "deadline", "reason", "watcher")

    def __init__(self) -> None:
        self._due = [inf] * len(_TIMERS)
        self.deadline: float | None = None
        """When the earliest is due; None: none runs."""
        self.reason: Timer | None = None
        """The timer behind the deadline."""
        self.watcher: Callable[[], object] | None = None
        """Called when the deadline may be another one."""

    def arm(self, timer: Timer, when: float) -> None:
        """Set or move a timer."""
        self._due[timer.index] = when
        self._refresh()

    def hasten(self, timer: Timer, when: float) -> None:
        """Set a timer, or bring one that runs forward to ``when``, if that is earlier."""
        self.arm(timer, min(when, self._due[timer.index]))

    def due(self) -> dict[Timer, float]:
        """All that run, and when each is due."""
        return {timer: when for timer, when in zip(_TIMERS, self._due, strict=True) if when < inf}

    def armed(self, timer: Timer) -> bool:
        """Whether this timer runs."""
        return self._due[timer.index] < inf

    def disarm(self, timer: Timer) -> None:
        """Stop a timer, if it runs."""
        self._due[timer.index] = inf
        self._refresh()

    def clear(self) -> None:
        """Stop all."""
        self._due = [inf] * len(_TIMERS)
        self._refresh()

    def pop_due(self, now: float) -> Timer | None:
        """Take out the earliest timer that is due, if there is one."""
        reason = self.reason
        if reason is None or self._due[reason.index] > now:
            return None
        self.disarm(reason)
        return reason

    def _refresh(self) -> None:
        due = self._due
        first = min(due)
        if first < inf:
            self.deadline = first
            self.reason = _TIMERS[due.index(first)]
        else:
            self.deadline = self.reason = None
        if self.watcher is not None:
            self.watcher()
