"""Who is in a ws-room, from what its frames say, as a RoomSession is told it over LiveKit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcl_comms_core.events import LimitReached
from dcl_comms_core.inputs import LinkOpened, ParticipantJoined, ParticipantLeft
from dcl_comms_core.room.incoming.aliases import Aliases

if TYPE_CHECKING:
    from dcl_comms_core.inputs import LinkInput
    from dcl_comms_core.proto import rfc5
    from dcl_comms_core.room.lifecycle import Lifecycle
    from dcl_comms_core.room.output import Output
    from dcl_comms_core.tools.clock import Clock

__all__ = ["Members"]


class Members:
    """The members of one ws-room, ``limit`` at most.  Its methods return the inputs that follow.

    ``name``: the room's, as its server knows it.
    """

    __slots__ = ("_aliases", "_clock", "_lifecycle", "_limit", "_me", "_name", "_output", "_told_full")

    def __init__(self, output: Output, clock: Clock, lifecycle: Lifecycle, *, name: str, limit: int) -> None:
        self._output = output
        self._clock = clock
        self._lifecycle = lifecycle
        self._name = name
        self._limit = limit
        self._aliases = Aliases(limit)
        self._me = ""
        self._told_full = False

    def address(self, alias: int) -> str | None:
        """The address behind an alias; None: unknown."""
        return self._aliases.address(alias)

    def welcome(self, message: rfc5.WsWelcome, me: str) -> list[LinkInput]:
        """The server let us in and lists the others.  ``me``: our address in lower case."""
        self._me = me
        self._aliases.clear()
        self._told_full = False
        for alias in sorted(message.peer_identities):
            address = message.peer_identities[alias]
            if address.lower() != me and self._aliases.put(alias, address) is None:
                self._refuse()
        link, participants = self._lifecycle.link, self._aliases.participants()
        return [LinkOpened(link=link, identity=me, room=self._name, participants=participants)]

    def join(self, alias: int, address: str) -> list[LinkInput]:
        """Somebody joined.  Whoever had this alias before has left."""
        known = self._aliases.address(alias)
        if known == address or address.lower() == self._me:
            # Told before, or ourselves: the session that will end ours.
            self._output.counters["ignored"] += 1
            return []
        left = [] if known is None else self.leave(alias)
        member = self._aliases.put(alias, address)
        if member is None:
            self._refuse()
            return left
        return [*left, ParticipantJoined(link=self._lifecycle.link, participant=member, source=alias)]

    def leave(self, alias: int) -> list[LinkInput]:
        """An alias is gone; its wallet may still be there by a newer one."""
        gone = self._aliases.pop(alias)
        if gone is None:
            self._output.counters["ignored"] += 1
            return []
        self._told_full = False
        address, last = gone
        return [ParticipantLeft(link=self._lifecycle.link, identity=address)] if last else []

    def _refuse(self) -> None:
        """Count a member beyond the limit; LimitReached once each time the table fills up."""
        output = self._output
        output.counters["dropped.aliases"] += 1
        if not self._told_full:
            self._told_full = True
            at = self._clock.now
            output.events.append(LimitReached(at=at, room=output.room, limit="aliases", value=self._limit))
