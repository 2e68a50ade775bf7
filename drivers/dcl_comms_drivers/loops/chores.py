"""What stands beside a session and is turned with it: machines that hear of its events, wait, and use its verbs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from dcl_comms_core.tools.timers import earlier

if TYPE_CHECKING:
    from dcl_comms_core.events import Event

__all__ = ["Chore", "Chores"]


class Chore(Protocol):
    """A machine without IO beside a session.  What it wants of the session it says by the session's own verbs."""

    def take(self, events: list[Event], *, now: float) -> None:
        """Hear of what the application is about to be told."""
        ...

    def deadline(self) -> float | None:
        """When ``handle_timeout`` is due; None: never."""
        ...

    def handle_timeout(self, now: float) -> None:
        """Let time pass; nothing where nothing is due."""
        ...


class Chores:
    """The machines beside one session, in the order in which they came."""

    __slots__ = ("_all",)

    def __init__(self) -> None:
        self._all: tuple[Chore, ...] = ()

    def add(self, chore: Chore) -> None:
        """Turn this one too, once.  Whoever adds it outside of a turn has one made: its time may have come."""
        if chore not in self._all:
            self._all = (*self._all, chore)

    def remove(self, chore: Chore) -> None:
        """Turn this one no more; nothing where it is not turned."""
        self._all = tuple(one for one in self._all if one is not chore)

    def take(self, events: list[Event], *, now: float) -> None:
        """Tell all of them."""
        for chore in self._all:
            chore.take(events, now=now)

    def deadline(self) -> float | None:
        """The earliest of theirs."""
        when = None
        for chore in self._all:
            when = earlier(when, chore.deadline())
        return when

    def handle_timeout(self, now: float) -> None:
        """Let time pass for those whose time has come."""
        for chore in self._all:
            due = chore.deadline()
            if due is not None and due <= now:
                chore.handle_timeout(now)
