"""Having the server tell others of us at once, so that our first packets have a sender."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dcl_comms_core.commands import PublishMicrophone, SetAttributes
from dcl_comms_core.events import WarningCode
from dcl_comms_core.inputs import CommandFailed
from dcl_comms_core.room.lifecycle import RECEIVING
from dcl_comms_core.states import Timer

if TYPE_CHECKING:
    from dcl_comms_core.inputs import CommandCompleted
    from dcl_comms_core.room.lifecycle import Lifecycle
    from dcl_comms_core.room.output import Output
    from dcl_comms_core.room.permit import Permit
    from dcl_comms_core.tools.clock import Clock
    from dcl_comms_core.tools.timers import Timers

__all__ = ["Introduction"]

_ATTRIBUTES: Final = (("client", "dcl-comms"),)


class Introduction:
    """Asks for it and waits up to ``seconds``; unasked, LiveKit tells others of us up to 3 s late."""

    __slots__ = ("_clock", "_lifecycle", "_output", "_permit", "_seconds", "_timers")

    def __init__(
        self,
        output: Output,
        clock: Clock,
        timers: Timers,
        lifecycle: Lifecycle,
        *,
        permit: Permit,
        seconds: float,
    ) -> None:
        self._output = output
        self._clock = clock
        self._timers = timers
        self._lifecycle = lifecycle
        self._permit = permit
        self._seconds = seconds

    @property
    def waiting(self) -> bool:
        """Whether packets have to wait for the answer."""
        return self._timers.armed(Timer.ANNOUNCE)

    def begin(self, *, data_tracks: bool = False) -> None:
        """Ask in the way that we may.  ``data_tracks``: see LinkOpened."""
        permit, link = self._permit, self._lifecycle.link
        if permit.grants is None or permit.grants.can_update_own_metadata:
            self._output.commands.append(SetAttributes(link=link, attributes=_ATTRIBUTES))
        elif permit.grants.can_publish_data if data_tracks else permit.may_publish("microphone"):
            self._output.commands.append(PublishMicrophone(link=link))
        else:
            text = f"the token allows neither attributes nor {'packets' if data_tracks else 'a microphone track'}"
            self._output.warn(WarningCode.ANNOUNCED_LATE, text)
            return
        self._timers.arm(Timer.ANNOUNCE, self._clock.now + self._seconds)

    def answered(self, inp: CommandCompleted | CommandFailed) -> bool:
        """Take the result of a command.  True: packets waited for it."""
        waited = self.waiting
        if isinstance(inp, CommandFailed) and self._lifecycle.state in RECEIVING:
            self._output.warn(WarningCode.COMMAND_FAILED, f"{inp.what}: {inp.detail}")
        elif not waited:
            self._output.counters["late"] += 1
        self.give_up()
        return waited

    def give_up(self) -> None:
        """Stop waiting."""
        self._timers.disarm(Timer.ANNOUNCE)
