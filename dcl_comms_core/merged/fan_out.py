"""Which rooms a packet of ours is for, and giving it to them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from dcl_comms_core.errors import CommsError, LocalProtocolError
from dcl_comms_core.events import Warning as WarningEvent
from dcl_comms_core.events import WarningCode
from dcl_comms_core.merged.roles import roles_of
from dcl_comms_core.merged.sources import Emoting
from dcl_comms_core.peers import EVERYONE, PeerId

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.merged.children import Child, Children
    from dcl_comms_core.merged.presence import Presence
    from dcl_comms_core.merged.roles import RoomRole
    from dcl_comms_core.peers import Addressees
    from dcl_comms_core.proto import rfc4
    from dcl_comms_core.room.output import Output
    from dcl_comms_core.tools.clock import Clock

__all__ = ["FanOut", "Played"]


class Played(NamedTuple):
    """An emote of ours, and what no packet says of it."""

    emote: rfc4.PlayerEmote
    duration: float | None
    """Seconds; None: until it is stopped."""


class FanOut:
    """Gives packets to the rooms that they are for, and says once when one of them does not take any."""

    __slots__ = ("_children", "_clock", "_output", "_presence")

    def __init__(self, children: Children, presence: Presence, output: Output, clock: Clock) -> None:
        self._children = children
        self._presence = presence
        self._output = output
        self._clock = clock

    def put(
        self,
        messages: list[tuple[bytes, tuple[str, ...] | None, str]],
        *,
        reliable: bool,
        played: Played | None = None,
        roles: frozenset[RoomRole] | None = None,
        else_everybody: bool = False,
    ) -> None:
        """Packets (bytes, addressees, topic) of one content.  LocalProtocolError: no room for them is open.

        ``played``: the emote that they are, for sources that are told more of it.  ``roles``: where they go; None: as
        the table says.  ``else_everybody``: where a room sends everything to everybody they are one packet, for all.
        """
        targets = self.targets(roles_of(messages) if roles is None else roles)
        deaf = [child for child in targets if else_everybody and not child.addresses]
        calls: list[tuple[Child, Callable[[], None]]] = [
            (child, partial(child.session.send_bytes, messages[0][0], reliable=reliable, now=self._clock.now))
            for child in deaf
            if any(self._address(child, named, "", targets)[0] for _, named, _ in messages)
        ]
        for data, named, topic in messages:
            for child in targets:
                to, there = ((), "") if child in deaf else self._address(child, named, topic, targets)
                if to is EVERYONE and played is not None and isinstance(child.session, Emoting):
                    calls.append((child, partial(child.session.show_emote, *played, now=self._clock.now)))
                elif to != ():
                    send = child.session.send_bytes
                    calls.append(
                        (child, partial(send, data, to=to, reliable=reliable, topic=there, now=self._clock.now))
                    )
        self.attempt(calls)

    def check(self, roles: frozenset[RoomRole]) -> None:
        """May we send to rooms of these roles?  LocalProtocolError: none is open; PermissionMissing: none lets us."""
        objections = [child.objection(self._clock.now) for child in self.targets(roles)]
        reasons = [reason for reason in objections if reason is not None]
        if len(reasons) == len(objections):
            raise reasons[0]

    def reaches(self, roles: frozenset[RoomRole]) -> bool:
        """Whether any of these roles takes packets."""
        return any(child.role in roles and child.session.sending for child in self._children)

    def targets(self, roles: frozenset[RoomRole]) -> list[Child]:
        """Those of these roles that take packets.  LocalProtocolError: there is none."""
        targets = [child for child in self._children if child.role in roles and child.session.sending]
        if not targets:
            which = " or ".join(sorted(role.value for role in roles))
            msg = f"no room that this could go to is open ({which}): send between RoomOpened and RoomClosed"
            raise LocalProtocolError(msg)
        return targets

    def attempt(self, calls: list[tuple[Child, Callable[[], None]]], *, must: bool = True) -> None:
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
            self._output.counters["not_sent"] += 1
            if not child.refuses:
                child.refuses = True
                room, code = child.session.room, WarningCode.SEND_FAILED
                self._output.events.append(WarningEvent(at=self._clock.now, room=room, code=code, text=str(reason)))

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
