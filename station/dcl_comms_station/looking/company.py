"""Who is in a room, what they are called, and how far away they are."""

from __future__ import annotations

from dataclasses import dataclass
from math import dist, inf
from typing import TYPE_CHECKING, Final

from dcl_comms_bot.tasks import tasks

from dcl_comms_core.limits import DEFAULT_LIMITS
from dcl_comms_station.clean import clean, short
from dcl_comms_station.forms import plain
from dcl_comms_station.looking.visit import visited
from dcl_comms_station.rooms import in_rooms
from dcl_comms_station.visitor import NOBODY

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dcl_comms_drivers.connection.waiting import WaitingConnection

    from dcl_comms_core.avatars.person import Person
    from dcl_comms_core.peers import Peer, PeerId
    from dcl_comms_station.loops import Loop
    from dcl_comms_station.visitor import Visitor

__all__ = ["Seen", "as_rows", "plain_seen", "who_is_there"]

_NAME: Final = 40
_HEAD: Final = ("NAME", "ADDRESS", "ROOMS", "POSITION", "DISTANCE", "SPEAKING")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Somebody who was there."""

    peer: Peer
    name: str
    """As the realm says, or the peer does; empty: nobody says."""
    claimed: bool
    """Whether the realm says that it is an NFT of that peer's."""
    distance: float | None
    """Metres from us; None: it told nothing of where it is."""
    hears: bool
    """Whether it is in a room of ours; Pulse tells of others too."""


async def who_is_there(
    loop: Loop, target: str, *, seconds: float, patience: float = 20.0, visitor: Visitor = NOBODY
) -> list[Seen]:
    """Who is there after so many seconds, the nearest first, those last who told nothing of where they are.

    Their names take ten seconds more at most, no time where the realm knows them.  ``patience``: seconds until the
    (first) room must be open.
    """
    async with visited(loop, target, patience=patience, visitor=visitor) as room:
        await loop.sleep(seconds)
        people = await _people(room)
        hearing = set(in_rooms(room))
        seen = [_seen(room, peer, people.get(peer.id), hears=peer.id in hearing) for peer in room.peers.values()]
    return sorted(seen, key=lambda one: inf if one.distance is None else one.distance)


async def _people(room: WaitingConnection) -> dict[PeerId, Person]:
    """Who they are; of more than can be asked for at once the first."""
    people: dict[PeerId, Person] = {}

    async def learn(who: PeerId) -> None:
        people[who] = await room.whois(who)

    async with tasks() as group:
        for who in tuple(room.peers)[: DEFAULT_LIMITS.whois_waiting]:
            group.start(learn, who)
    return people


def _seen(room: WaitingConnection, peer: Peer, person: Person | None, *, hears: bool) -> Seen:
    return Seen(
        peer=peer,
        name=(person.name if person is not None else "") or peer.name,
        claimed=person is not None and person.claimed,
        distance=None if peer.position is None else dist(peer.position, room.me.position),
        hears=hears,
    )


def plain_seen(seen: Seen) -> dict[str, object]:
    """As JSON has it."""
    peer = seen.peer
    return {
        "peer": peer.id.text,
        "name": seen.name,
        "claimed": seen.claimed,
        "rooms": list(peer.rooms),
        "position": None if peer.position is None else [plain(axis) for axis in peer.position],
        "distance": None if seen.distance is None else plain(round(seen.distance, 3)),
        "speaking": peer.speaking,
        "hears_us": seen.hears,
    }


def as_rows(company: Iterable[Seen]) -> list[Sequence[str]]:
    """As a table for people, with its head."""
    return [_HEAD, *map(_row, company)]


def _row(seen: Seen) -> Sequence[str]:
    peer = seen.peer
    return (
        clean(seen.name, limit=_NAME).strip() or "-",
        short(peer.id.text),
        clean(", ".join(peer.rooms), limit=_NAME) or ("-" if seen.hears else "none of ours"),
        "-" if peer.position is None else ", ".join(f"{axis:.1f}" for axis in peer.position),
        "-" if seen.distance is None else f"{seen.distance:.1f} m",
        "yes" if peer.speaking else "",
    )
