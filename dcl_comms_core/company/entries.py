"""A peer's entry in the book: what its transport says of it, with what it told itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcl_comms_core.peers import Peer
from dcl_comms_core.tools.vectors import NOWHERE

if TYPE_CHECKING:
    from dcl_comms_core.events import PeerMoved
    from dcl_comms_core.inputs import Track

__all__ = ["written"]


def written(
    peer: Peer,
    *,
    last: PeerMoved | None,
    rooms: tuple[str, ...],
    tracks: tuple[Track, ...],
    profile_version: int | None,
    speaking: bool,
) -> Peer:
    """The peer with what is known beside.  ``last``: what it told last of where it is."""
    return Peer(
        id=peer.id,
        joined_at=peer.joined_at,
        sid=peer.sid,
        name=peer.name,
        metadata=peer.metadata,
        attributes=peer.attributes,
        arrival=peer.arrival,
        first_seen=peer.first_seen,
        position=None if last is None else last.position,
        velocity=NOWHERE if last is None else last.velocity,
        yaw=0.0 if last is None else last.yaw,
        moved_at=None if last is None else last.at,
        rooms=rooms,
        tracks=tracks,
        profile_version=profile_version,
        speaking=speaking,
    )
