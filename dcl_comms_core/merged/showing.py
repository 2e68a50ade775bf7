"""What all rooms are told alike: where we are, and which version our profile has.

A movement is one snapshot for island, scene and sources, sent when ``room/outgoing/cadence`` says: whoever is in
two rooms with us can tell that it is the same by its time.  A room that just opened gets it as an instant move; one
whose link is down gets none, and the newest when it is up again: as an instant move too, if we jumped meanwhile.
"""

from __future__ import annotations

from copy import copy
from functools import partial
from typing import TYPE_CHECKING

from dcl_comms_core.codec import encode
from dcl_comms_core.merged.roles import AVATAR
from dcl_comms_core.packets.conventions import PROTOCOL_VERSION
from dcl_comms_core.proto import rfc4
from dcl_comms_core.room.outgoing.cadence import Cadence
from dcl_comms_core.room.outgoing.intents import check_version

if TYPE_CHECKING:
    from dcl_comms_core.merged.children import Child, Children
    from dcl_comms_core.merged.fan_out import FanOut
    from dcl_comms_core.tools.clock import Clock

__all__ = ["Showing"]


class Showing:
    """Shows us where we are seen.  ``silent``: no room goes on announcing a version by itself."""

    __slots__ = ("_cadence", "_children", "_clock", "_fan_out", "_silent", "_version")

    def __init__(self, children: Children, fan_out: FanOut, clock: Clock, *, version: int | None, silent: bool) -> None:
        self._children = children
        self._fan_out = fan_out
        self._clock = clock
        self._version = None if version is None else check_version(version)
        self._silent = silent
        self._cadence = Cadence()

    @property
    def version(self) -> int | None:
        """What rooms announce, those to come too; None: nothing."""
        return self._version

    @property
    def due(self) -> float | None:
        """When a movement is to go out; None: never, or no room takes it now."""
        due = self._cadence.due
        return None if due is None or not self._children.any_walks else due

    def walk(self, movement: rfc4.Movement) -> None:
        """Be there, in all rooms."""
        self._cadence.put(movement, self._clock.now)
        self.send()

    def send(self) -> None:
        """Send the movement that is due to all rooms that take it."""
        if self._children.any_walks:
            self._cadence.send(self._clock.now, self._send_movement)

    def announce(self, version: int) -> None:
        """Tell our profile's version, now, and from now on to rooms to come."""
        check_version(version)
        targets = self._fan_out.targets(AVATAR)
        self._fan_out.attempt([(child, partial(self._tell_version, child, version)) for child in targets])
        if not self._silent:
            self._version = version

    def look(self, child: Child) -> None:
        """Once packets begin to go out there: nobody there knows where we are, nor maybe our profile's version."""
        flowed, child.flowed = child.flowed, child.flowing
        if child.seen_in and child.flowed and not flowed:
            self._cadence.begin(self._clock.now)
            version = self._version
            if version is not None and child.version != version:
                self._fan_out.attempt([(child, partial(self._tell_version, child, version))], must=False)

    def _send_movement(self, movement: rfc4.Movement, _first: bool) -> None:  # noqa: FBT001 - a callback's
        instant = copy(movement)
        instant.is_instant = True
        if movement.is_instant:
            self._children.all_new()
        for child in self._children.walking():
            packet = _encoded(rfc4.Packet(movement=instant if child.new else movement))
            send = partial(child.session.send_bytes, packet, reliable=False, now=self._clock.now)
            self._fan_out.attempt([(child, send)], must=False)
            child.new = child.new and child.refuses

    def _tell_version(self, child: Child, version: int) -> None:
        if child.room is not None:
            child.room.announce_profile(version, now=self._clock.now)
        else:
            announcement = rfc4.AnnounceProfileVersion(profile_version=version)
            child.session.send_bytes(_encoded(rfc4.Packet(profile_version=announcement)), now=self._clock.now)
        child.version = version


def _encoded(packet: rfc4.Packet) -> bytes:
    packet.protocol_version = PROTOCOL_VERSION
    return encode(packet)
