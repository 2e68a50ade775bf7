"""Who is in a ws-room, from what its frames say, as a RoomSession is told it over LiveKit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcl_comms_core.events import LimitReached
from dcl_comms_core.inputs import LinkOpened, ParticipantJoined, ParticipantLeft
from dcl_comms_core.room.incoming.aliases import Aliases

if TYPE_CHECKING:
    from dcl_comms_core.inputs import LinkInput, Participant
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.proto import rfc5
    from dcl_comms_core.room.lifecycle import Lifecycle
    from dcl_comms_core.room.output import Output
    from dcl_comms_core.tools.clock import Clock

__all__ = ["Members"]


class Members:
    """The members of one ws-room, ``Limits.aliases`` at most.  Its methods return the inputs that follow.

    ``name``: the room's, as its server knows it.
    """

    __slots__ = ("_aliases", "_clock", "_lifecycle", "_limits", "_me", "_name", "_output", "_told")

    def __init__(self, output: Output, clock: Clock, lifecycle: Lifecycle, *, name: str, limits: Limits) -> None:
        self._output = output
        self._clock = clock
        self._lifecycle = lifecycle
        self._name = name
        self._limits = limits
        self._aliases = Aliases(limits.aliases)
        self._me = ""
        self._told: set[str] = set()
        """Limits that were told of."""

    def address(self, alias: int) -> str | None:
        """The address behind an alias; None: unknown."""
        return self._aliases.address(alias)

    def welcome(self, message: rfc5.WsWelcome, me: str) -> list[LinkInput]:
        """The server let us in and lists the others.  ``me``: our address in lower case."""
        self._me = me
        self._aliases.clear()
        self._told.clear()
        for alias in sorted(message.peer_identities):
            address = message.peer_identities[alias]
            if address.lower() != me:
                self._put(alias, address)
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
        member = self._put(alias, address)
        if member is None:
            return left
        return [*left, ParticipantJoined(link=self._lifecycle.link, participant=member, source=alias)]

    def leave(self, alias: int) -> list[LinkInput]:
        """An alias is gone; its wallet may still be there by a newer one."""
        gone = self._aliases.pop(alias)
        if gone is None:
            self._output.counters["ignored"] += 1
            return []
        self._told.discard("aliases")
        address, last = gone
        return [ParticipantLeft(link=self._lifecycle.link, identity=address)] if last else []

    def _put(self, alias: int, address: str) -> Participant | None:
        """Remember a member.  None: it is one beyond the limits."""
        if len(address) > self._limits.identity_chars:
            self._refuse("identity_chars", self._limits.identity_chars)
            return None
        member = self._aliases.put(alias, address)
        if member is None:
            self._refuse("aliases", self._limits.aliases)
        return member

    def _refuse(self, limit: str, value: int) -> None:
        """Count a member; LimitReached once, of the table each time that it fills up."""
        output = self._output
        output.counters["dropped." + limit] += 1
        if limit not in self._told:
            self._told.add(limit)
            output.events.append(LimitReached(at=self._clock.now, room=output.room, limit=limit, value=value))
