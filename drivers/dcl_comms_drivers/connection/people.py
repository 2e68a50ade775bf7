"""Who is around a connection: near, nearest, and we ourselves."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dcl_comms_core.company.around import near, nearest
from dcl_comms_core.events import Vector3
from dcl_comms_core.packets.motion import check_position
from dcl_comms_core.peers import Peer, PeerId, peer_id

if TYPE_CHECKING:
    from dcl_comms_core.company.around import Me
    from dcl_comms_core.merged.overview import PeersOfRooms
    from dcl_comms_core.peers import PeerTable, Who
    from dcl_comms_drivers.connection.driver import Driver

__all__ = ["People"]


class People:
    """What a connection's own verbs for people begin with."""

    def __init__(self, driver: Driver, peers: PeerTable | PeersOfRooms) -> None:
        self._driver = driver
        self._peers = peers

    @property
    def me(self) -> Me:
        """We ourselves; where we begin is a setting."""
        driver = self._driver
        me = driver.session.me
        return replace(me, position=driver.position) if me.moved_at is None and driver.realm is None else me

    def near(self, metres: float, around: Who | tuple[float, float, float] | None) -> list[Peer]:
        """Who is within so many metres, the nearest first."""
        place, but = self._place(around)
        return [] if place is None else near(self._peers, place, metres, but=but)

    def nearest(self, around: Who | tuple[float, float, float] | None) -> Peer | None:
        """Who is nearest."""
        place, but = self._place(around)
        return None if place is None else nearest(self._peers, place, but=but)

    def _place(self, around: Who | tuple[float, float, float] | None) -> tuple[Vector3 | None, set[PeerId]]:
        """The place that is meant, and who is not.  KeyError: the peer that is meant is not here."""
        but = set(self._driver.session.ignored)
        if around is None:
            return self.me.position, but
        if isinstance(around, PeerId | Peer | str):
            who = peer_id(around)
            return self._peers[who].position, {who, *but}
        check_position(around)
        return Vector3(*around), but
