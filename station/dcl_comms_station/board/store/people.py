"""Who is there, each in a slot, and where: the newest position of everybody, in the order in which they changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Final

from dcl_comms_station.board.frames import FLAG_GROUNDED, FLAG_INSTANT, FLAG_PULSE, FLAG_SPEAKING, position
from dcl_comms_station.board.store.rates import Bins, Fading
from dcl_comms_station.board.texts import cut, short_float

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dcl_comms_core.inputs import Track
    from dcl_comms_core.peers import PeerId

__all__ = ["GONE_SECONDS", "ME", "People", "Person"]

ME: Final = 0
"""Our own slot."""
GONE_SECONDS: Final = 30.0
"""Who left is in the table for so long."""
PULSE: Final = "pulse"
"""The label of what tells of peers that are in no room of ours."""

_KINDS: Final = {"player": 0, "me": 1, "bot": 2, "server": 3}
_NAME: Final = 100
_TRACKS: Final = 16
_ATTRIBUTES: Final = 4_000


@dataclass(slots=True, eq=False)
class Person:
    """A peer, as far as it is known."""

    slot: int
    who: PeerId
    joined: float
    kind: str = "player"
    name: str = ""
    metadata: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict[str, str])
    rooms: list[str] = field(default_factory=list[str])
    pulse: bool = False
    arrival: str = "new"
    tracks: dict[str, tuple[Track, bool]] = field(default_factory=dict[str, "tuple[Track, bool]"])
    profile_version: int | None = None
    profile: str | None = None
    speaking: bool = False
    ignored: bool = False
    place: tuple[float, float, float] | None = None
    yaw: float = 0.0
    speed: float = 0.0
    flags: int = 0
    seen: float = 0.0
    gone: float | None = None
    bins: Bins = field(default_factory=Bins)
    kinds: Fading = field(default_factory=Fading)
    score: float = 0.0

    def told(self) -> dict[str, Any]:
        """As the event ``peer``."""
        return {
            "k": "peer",
            "slot": self.slot,
            "id": self.who.text,
            "name": cut(self.name, _NAME)[0],
            "address": self.who.address,
            "kind": self.kind,
            "rooms": self.rooms,
            "pulse": self.pulse and not self.rooms,
            "joined": round(self.joined, 3),
            "arrival": self.arrival,
            "tracks": [
                {
                    "sid": track.sid,
                    "kind": track.kind.value,
                    "source": track.source.value,
                    "name": cut(track.name, _NAME)[0],
                    "muted": track.muted,
                    "subscribed": subscribed,
                }
                for track, subscribed in self.tracks.values()
            ],
            "profile_version": self.profile_version,
            "speaking": self.speaking,
            "ignored": self.ignored,
            "placed": self.place is not None,
        }

    def row(self, t: float, us: Person | None) -> dict[str, Any]:
        """As a row of the peers' table."""
        pps, bps = self.bins.per_second(t)
        place = self.place
        return {
            "slot": self.slot,
            "id": self.who.text,
            "name": cut(self.name, _NAME)[0],
            "rooms": self.rooms,
            "distance": self.distance(us),
            "position": None if place is None else [short_float(axis, 2) for axis in place],
            "yaw": short_float(self.yaw, 1),
            "speed": short_float(self.speed, 2),
            "pps": round(pps, 1),
            "bps": round(bps),
            "kinds": self.kinds.now(t),
            "spark": self.bins.spark(t),
            "seen": round(self.seen, 3),
            "mic": self._track("audio"),
            "camera": self._track("video"),
            "profile_version": self.profile_version,
            "score": short_float(self.score, 1),
            "joined": round(self.joined, 3),
            "gone": self.gone,
        }

    def distance(self, us: Person | None) -> float | None:
        """Metres from us; None: one of us told no position."""
        if us is None or us.place is None or self.place is None:
            return None
        squares = ((one - other) ** 2 for one, other in zip(us.place, self.place, strict=True))
        return short_float(sum(squares) ** 0.5, 1)

    def _track(self, kind: str) -> str | None:
        muted = [track.muted for track, _ in self.tracks.values() if track.kind.value == kind]
        return None if not muted else "muted" if all(muted) else "on"

    def details(self) -> dict[str, Any]:
        """What only its sheet shows."""
        attributes, room = dict[str, str](), _ATTRIBUTES
        for name, value in self.attributes.items():
            shown = cut(value, max(room, 0))[0]
            attributes[cut(name, _NAME)[0]] = shown
            room -= len(shown)
        return {"metadata": cut(self.metadata, _ATTRIBUTES)[0], "attributes": attributes}


class People:
    """The peers of a session: at most ``most``, and those that left a while ago."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._by_id: dict[str, Person] = {}
        self._by_slot: dict[int, Person] = {}
        self._free: list[int] = []
        self._next = ME + 1
        self.me: Person | None = None
        """We ourselves."""
        self.names: dict[str, tuple[str, str]] = {}
        """By key: a name and a kind, of those whom the Station knows."""
        self._left: dict[int, float] = {}
        """By slot, when those left who are in the table still."""
        self.unshown = 0
        """How many were not taken in, because the table was full."""
        self._moved: dict[int, tuple[int, bytes]] = {}
        self.version = 0
        """Counts movements."""

    def __len__(self) -> int:
        return sum(1 for one in self._by_slot.values() if one.gone is None and one is not self.me)

    def __iter__(self) -> Iterator[Person]:
        return iter(self._by_slot.values())

    def get(self, who: PeerId | str | None) -> Person | None:
        """Somebody who is in the table."""
        if who is None:
            return None
        return self._by_id.get(who.lower() if isinstance(who, str) else who.key)

    def here(self) -> Iterator[Person]:
        """Those who are there, without us."""
        return (one for one in self._by_slot.values() if one.gone is None and one is not self.me)

    def be(self, who: PeerId, t: float) -> Person:
        """We are called so."""
        if self.me is None or self.me.who != who:
            if self.me is not None:
                self._by_id.pop(self.me.who.key, None)
            else:
                self.me = Person(slot=ME, who=who, joined=t, kind="me")
            self.me.who = who
            # Who we are a peer of no more.
            other = self._by_id.pop(who.key, None)
            if other is not None and other is not self.me:
                self._drop(other)
            self._by_id[who.key] = self._by_slot[ME] = self.me
        return self.me

    def meet(self, who: PeerId, t: float) -> Person | None:
        """Somebody is there; None: the table is full."""
        person = self._by_id.get(who.key)
        if person is not None:
            if person.gone is not None:
                self._left.pop(person.slot, None)
                person.gone, person.joined, person.rooms, person.pulse = None, t, [], False
            return person
        if len(self._by_slot) > self._most and not self._make_room():
            self.unshown += 1
            return None
        slot = self._free.pop() if self._free else self._next
        self._next = max(self._next, slot + 1)
        known = self.names.get(who.key)
        kind = known[1] if known is not None else "player" if who.address is not None else "server"
        person = Person(slot=slot, who=who, joined=t, kind=kind, name="" if known is None else known[0], seen=t)
        self._by_id[who.key] = self._by_slot[slot] = person
        return person

    def leave(self, person: Person, t: float) -> None:
        """Somebody is in no room any more."""
        person.gone, person.speaking = t, False
        self._left[person.slot] = t
        person.rooms, person.pulse = [], False
        person.tracks.clear()

    def moved(
        self,
        person: Person,
        place: tuple[float, float, float],
        yaw: float,
        speed: float,
        t: float,
        *,
        instant: bool = False,
        grounded: bool = True,
    ) -> bool:
        """Somebody is at a place.  True: it had told none before."""
        first = person.place is None
        person.place, person.yaw, person.speed = place, yaw, speed
        person.seen = max(person.seen, t)
        person.flags = (FLAG_GROUNDED if grounded else 0) | (FLAG_INSTANT if instant or first else 0)
        self.shown(person)
        return first

    def shown(self, person: Person) -> None:
        """What a row of positions says of it has changed."""
        if person.place is None:
            return
        flags = person.flags | (FLAG_SPEAKING if person.speaking else 0)
        if person.pulse and not person.rooms:
            flags |= FLAG_PULSE
        self.version += 1
        self._moved.pop(person.slot, None)
        row = position(person.slot, flags, _KINDS[person.kind], person.place, person.yaw, person.speed)
        self._moved[person.slot] = self.version, row

    def since(self, version: int) -> list[bytes]:
        """The rows of those that moved after that, each the newest; the last mover first."""
        newest = takewhile(lambda one: one[0] > version, reversed(self._moved.values()))
        return [row for _, row in newest]

    def expire(self, t: float) -> None:
        """Forget who left long ago."""
        for slot in [slot for slot, gone in self._left.items() if t - gone >= GONE_SECONDS]:
            self._drop(self._by_slot[slot])

    def next_expiry(self) -> float | None:
        """When ``expire`` is due."""
        return min(self._left.values()) + GONE_SECONDS if self._left else None

    def _make_room(self) -> bool:
        """Let somebody go who has left; False: all are there."""
        if not self._left:
            return False
        self._drop(self._by_slot[min(self._left, key=self._left.__getitem__)])
        return True

    def _drop(self, person: Person) -> None:
        if self._by_id.get(person.who.key) is person:
            del self._by_id[person.who.key]
        if self._by_slot.get(person.slot) is person:
            del self._by_slot[person.slot]
            self._free.append(person.slot)
            self._left.pop(person.slot, None)
        self._moved.pop(person.slot, None)

    def forget_place(self, person: Person) -> None:
        """It is nowhere that is known."""
        person.place = None
        self._moved.pop(person.slot, None)

    def add_track(self, person: Person, track: Track, *, subscribed: bool | None = None) -> None:
        """It offers a track, or that is as it is now."""
        known = person.tracks.get(track.sid)
        if known is None and len(person.tracks) >= _TRACKS:
            return
        person.tracks[track.sid] = track, (known[1] if known else False) if subscribed is None else subscribed
