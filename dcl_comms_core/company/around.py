"""Who is near, and where we are ourselves."""

from __future__ import annotations

from dataclasses import dataclass
from math import dist
from typing import TYPE_CHECKING, Protocol

from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.tools.arguments import require_number
from dcl_comms_core.tools.vectors import NOWHERE, Vector3

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from dcl_comms_core.peers import Peer, PeerId, Who
    from dcl_comms_core.proto import rfc4

__all__ = ["Me", "Peers", "me", "near", "nearest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Me:
    """We ourselves, as we told of us last."""

    id: PeerId | None
    """Who we are; None: no server said so yet."""
    position: Vector3 = NOWHERE
    """Metres: x east, y up, z north; where we began, until we move."""
    velocity: Vector3 = NOWHERE
    """Metres per second."""
    yaw: float = 0.0
    """Degrees clockwise from north."""
    moved_at: float | None = None
    """When we said so, monotonic seconds; None: we never moved."""
    rooms: tuple[str, ...] = ()
    """The labels of the rooms that we are in."""


def me(
    who: PeerId | None, moved: tuple[rfc4.Movement, float] | None, rooms: tuple[str, ...], place: Vector3 | None = None
) -> Me:
    """We ourselves.  ``moved``: our last movement, and when; ``place``: where we are, where that is known without."""
    if moved is None:
        return Me(id=who, position=NOWHERE if place is None else place, rooms=rooms)
    movement, at = moved
    if place is None:
        place = Vector3(movement.position_x, movement.position_y, movement.position_z)
    velocity = Vector3(movement.velocity_x, movement.velocity_y, movement.velocity_z)
    return Me(id=who, position=place, velocity=velocity, yaw=movement.rotation_y, moved_at=at, rooms=rooms)


class Peers(Protocol):
    """The peers of a room, or of several: a PeerTable, a PeersOfRooms."""

    def get(self, who: Who) -> Peer | None:
        """A peer with what is known of it."""
        ...

    def places(self) -> Iterator[tuple[PeerId, Vector3]]:
        """Who told where it is, and where."""
        ...


def near(peers: Peers, place: Vector3, metres: float, *, but: Collection[PeerId] = ()) -> list[Peer]:
    """Who is within so many metres of a place, the nearest first.  ``but``: without these."""
    require_number(metres, "how near is a finite number of metres")
    if metres < 0.0:
        msg = f"how near is a number of metres from 0, not {metres!r}"
        raise LocalProtocolError(msg)
    found = [(away, who) for who, at in peers.places() if (away := dist(place, at)) <= metres and who not in but]
    found.sort(key=lambda one: one[0])
    return [peer for _, who in found if (peer := peers.get(who)) is not None]


def nearest(peers: Peers, place: Vector3, *, but: Collection[PeerId] = ()) -> Peer | None:
    """Who is nearest to a place, of those who told where they are; None: nobody did."""
    found = min(((dist(place, at), who.key, who) for who, at in peers.places() if who not in but), default=None)
    return None if found is None else peers.get(found[2])
