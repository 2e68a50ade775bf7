"""What a session gives out: commands, events and counts, until they are taken."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from dcl_comms_core.events import Warning as WarningEvent

if TYPE_CHECKING:
    from dcl_comms_core.commands import Command
    from dcl_comms_core.events import Event, WarningCode
    from dcl_comms_core.tools.clock import Clock

__all__ = ["Output"]


class Output:
    """Filled by a session's parts, in order; emptied by its ``commands()`` and ``events()``.

    Its lists stay the same ones, so parts may hold on to them.
    """

    __slots__ = ("_clock", "commands", "counters", "events", "room")

    def __init__(self, room: str, clock: Clock) -> None:
        self._clock = clock
        self.room = room
        """The label in events."""
        self.commands: list[Command] = []
        self.events: list[Event] = []
        self.counters: Counter[str] = Counter()

    def take_commands(self) -> list[Command]:
        """Everything that the transport is to do, in order."""
        commands = self.commands.copy()
        self.commands.clear()
        return commands

    def take_events(self) -> list[Event]:
        """Everything that happened, in order."""
        events = self.events.copy()
        self.events.clear()
        return events

    def warn(self, code: WarningCode, text: str) -> None:
        """Tell a Warning."""
        self.events.append(WarningEvent(at=self._clock.now, room=self.room, code=code, text=text))
