"""The half of a merged view on its way out: which rooms a packet of ours is for, and what goes to all of them alike.

A movement is one snapshot for island, scene and sources, sent when ``room/outgoing/cadence`` says: whoever is in
two rooms with us can tell that it is the same by its time.  A room that just opened gets it as an instant move; one
whose link is down gets none, and the newest when it is up again.
"""

from __future__ import annotations

from collections import Counter
from copy import copy
from functools import partial
from typing import TYPE_CHECKING

from dcl_comms_core import events as ev
from dcl_comms_core.codec import encode
from dcl_comms_core.errors import CommsError, LocalProtocolError
from dcl_comms_core.merged.presence import Presence
from dcl_comms_core.merged.roles import AVATAR, RoomRole, roles_of
from dcl_comms_core.packets.conventions import PROTOCOL_VERSION
from dcl_comms_core.peers import EVERYONE, PeerId
from dcl_comms_core.proto import rfc4
from dcl_comms_core.room.outgoing.cadence import Cadence
from dcl_comms_core.room.outgoing.intents import Intents, check_version
from dcl_comms_core.room.session import RoomSession
from dcl_comms_core.tools.clock import Clock

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.limits import Limits
    from dcl_comms_core.merged.sources import MovementSource
    from dcl_comms_core.peers import Addressees

__all__ = ["Child", "Spreading"]


class Child:
    """A room or a source, and what we know of it."""

    __slots__ = ("flowed", "leave_by", "link", "new", "refuses", "role", "session", "version")

    def __init__(self, session: RoomSession | MovementSource, role: RoomRole, version: int | None = None) -> None:
        self.session = session
        self.role = role
        self.link = session.link.link
        self.leave_by: float | None = None
        """When we are done with a source that was told to close; a room sees to that itself."""
        self.refuses = False
        """Did it refuse the last packet?  Said once."""
        self.flowed = False
        """Did packets go out there, when we looked last?"""
        self.new = True
        """Has nobody there seen us move since we came?"""
        self.version = version
        """The profile version that it announces by itself."""

    @property
    def flowing(self) -> bool:
        """Whether packets go out there now, and do not wait for its link."""
        session = self.session
        return session.flowing if isinstance(session, RoomSession) else session.sending

    def objection(self, now: float) -> CommsError | None:
        """Why it would take no packet; None: it would."""
        try:
            if isinstance(self.session, RoomSession):
                self.session.check_sending(now)
        except CommsError as error:
            return error
        return None


class Spreading(Intents):
    """Carries out intents in several rooms."""

    def __init__(self, limits: Limits, *, profile_version: int | None, silent: bool) -> None:
        super().__init__(limits, Clock())
        self._cadence = Cadence()
        self._children: dict[int, Child] = {}
        self._presence = Presence(limits)
        self._events: list[ev.Event] = []
        self._version = None if profile_version is None else check_version(profile_version)
        self._silent = silent
        self.counters: Counter[str] = Counter()
        """How often: late (news of a room that is gone), moved_twice and announced_twice (movements and profile
        versions that were told already), not_sent (packets of ours that a room did not take).  The rooms' own sessions
        count the rest."""

    # --- movement and presence

    def check_sending(self, now: float | None = None) -> None:
        """May we move?  LocalProtocolError: no room is open; PermissionMissing: none of them lets us."""
        self.clock.pass_time(now)
        objections = [child.objection(self.clock.now) for child in self._targets(AVATAR)]
        reasons = [reason for reason in objections if reason is not None]
        if len(reasons) == len(objections):
            raise reasons[0]

    def walk(self, movement: rfc4.Movement) -> None:
        """Be there, in all rooms."""
        self._cadence.put(movement, self.clock.now)
        self._walk()

    def _walk(self) -> None:
        """Send the movement that is due to all rooms that take it."""
        if self._walking():
            self._cadence.send(self.clock.now, self._send_movement)

    def _walking(self) -> list[Child]:
        return [child for child in self._children.values() if child.role in AVATAR and child.flowing]

    def _movement_due(self) -> float | None:
        """When a movement is to go out; None: never, or no room takes it now."""
        return self._cadence.due if self._walking() else None

    def _send_movement(self, movement: rfc4.Movement, _first: bool) -> None:  # noqa: FBT001 - a callback's
        instant = copy(movement)
        instant.is_instant = True
        for child in self._walking():
            packet = _encoded(rfc4.Packet(movement=instant if child.new else movement))
            self._try(
                [(child, partial(child.session.send_bytes, packet, reliable=False, now=self.clock.now))], must=False
            )
            child.new = child.new and child.refuses

    def announce_profile(self, version: int, *, to: Addressees = EVERYONE, now: float | None = None) -> None:
        """Tell the version of our profile, now and from now on, in these rooms and in those to come.

        Once, if ``to`` names some or we are silent.
        """
        if to is not EVERYONE:
            super().announce_profile(version, to=to, now=now)
            return
        check_version(version)
        self.clock.pass_time(now)
        self._try([(child, partial(self._tell_version, child, version)) for child in self._targets(AVATAR)])
        if not self._silent:
            self._version = version

    def _tell_version(self, child: Child, version: int) -> None:
        session = child.session
        if isinstance(session, RoomSession):
            session.announce_profile(version, now=self.clock.now)
        else:
            announcement = rfc4.AnnounceProfileVersion(profile_version=version)
            session.send_bytes(_encoded(rfc4.Packet(profile_version=announcement)), now=self.clock.now)
        child.version = version

    def _look(self, child: Child) -> None:
        """Once packets begin to go out there: nobody there knows where we are, nor maybe our profile's version."""
        flowed, child.flowed = child.flowed, child.flowing
        if child.role in AVATAR and child.flowed and not flowed:
            self._cadence.begin(self.clock.now)
            version = self._version
            if version is not None and child.version != version:
                self._try([(child, partial(self._tell_version, child, version))], must=False)

    # --- everything else

    def _targets(self, roles: frozenset[RoomRole]) -> list[Child]:
        targets = [child for child in self._children.values() if child.role in roles and child.session.sending]
        if not targets:
            which = " or ".join(sorted(role.value for role in roles))
            msg = f"no room that this could go to is open ({which}): send between RoomOpened and RoomClosed"
            raise LocalProtocolError(msg)
        return targets

    def put(
        self, messages: list[tuple[bytes, tuple[str, ...] | None, str]], *, reliable: bool, now: float | None
    ) -> None:
        """Give packets to the rooms that they are for.  What ``send_bytes`` ends in."""
        """Give packets to the rooms that they are for."""
        self.clock.pass_time(now)
        targets = self._targets(roles_of(messages))
        calls: list[tuple[Child, Callable[[], None]]] = []
        for data, named, topic in messages:
            for child in targets:
                to, there = self._address(child, named, topic, targets)
                if to != ():
                    send = child.session.send_bytes
                    calls.append(
                        (child, partial(send, data, to=to, reliable=reliable, topic=there, now=self.clock.now))
                    )
        self._try(calls)

    def _try(self, calls: list[tuple[Child, Callable[[], None]]], *, must: bool = True) -> None:
        """Ask rooms to send.  What any of them took was sent; if none did, and one ``must``, an error is raised."""
        refused: list[tuple[Child, CommsError]] = []
        for child, send in calls:
            try:
                send()
            except CommsError as error:
                refused.append((child, error))
            else:
                child.refuses = False
        if must and refused and len(refused) == len(calls):
            raise refused[0][1]
        for child, reason in refused:
            self.counters["not_sent"] += 1
            if not child.refuses:
                child.refuses = True
                room, code = child.session.room, ev.WarningCode.SEND_FAILED
                self._events.append(ev.Warning(at=self.clock.now, room=room, code=code, text=str(reason)))

    def warn(self, code: ev.WarningCode, text: str) -> None:
        """Tell a Warning."""
        self._events.append(ev.Warning(at=self.clock.now, room="", code=code, text=text))

    def _address(
        self, child: Child, named: tuple[str, ...] | None, topic: str, targets: list[Child]
    ) -> tuple[Addressees, str]:
        """Whom to name in this room, each as it is written there, and the topic, which may be such a name."""
        if named is None:
            return EVERYONE, topic
        links = {target.link for target in targets}
        to: list[PeerId] = []
        for text in named:
            who = PeerId(text)
            ids = self._presence.ids(who)
            there = ids.get(child.link, who if links.isdisjoint(ids) else None)
            if there is not None:
                to.append(there)
                if topic == text:
                    topic = there.text
        return tuple(to), topic


def _encoded(packet: rfc4.Packet) -> bytes:
    packet.protocol_version = PROTOCOL_VERSION
    return encode(packet)
