"""A session's output: commands, events and counters, until they are drained."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from dcl_comms_core.events import Warning as WarningEvent

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.commands import Command
    from dcl_comms_core.events import Event, WarningCode
    from dcl_comms_core.tools.clock import Clock

__all__ = ["Output"]


class Output:
    """Filled by a session's parts, in order; emptied by its ``commands()`` and ``events()``.

    Its lists stay the same.
    """

    __slots__ = ("_clock", "commands", "counters", "events", "room", "watcher")

    def __init__(self, room: str, clock: Clock) -> None:
        self._clock = clock
        self.room = room
        """The label in events."""
        self.commands: list[Command] = []
        self.events: list[Event] = []
        self.counters: Counter[str] = Counter()
        self.watcher: Callable[[], object] | None = None
        """Called at the beginning of whatever may give something."""

    def touch(self) -> None:
        """Something may come of what follows."""
        if self.watcher is not None:
            self.watcher()

    def take_commands(self) -> list[Command]:
        """Drain the commands for the transport, in order."""
        if not self.commands:
            return []
        commands = self.commands.copy()
        self.commands.clear()
        return commands

    def take_events(self) -> list[Event]:
        """Drain the events, in order."""
        if not self.events:
            return []
        events = self.events.copy()
        self.events.clear()
        return events

    def warn(self, code: WarningCode, text: str, count: int = 0) -> None:
        """Report a Warning event; ``count``: of packets."""
        self.events.append(WarningEvent(at=self._clock.now, room=self.room, code=code, text=text, count=count))
