"""A part: what one peer does and remembers, the same on every loop.

A loop gives it each event (``take``), asks it to walk ten times a second (``step``) and looks at ``done``.  All it
needs of a connection are the verbs that connections of every loop have.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import atan2, cos, degrees, dist, pi, sin
from typing import TYPE_CHECKING, Final, TypeAlias

from dcl_comms_core import (
    ChatReceived,
    IslandChanged,
    PeerId,
    PeerIdentified,
    PeerLeft,
    PeerMoved,
    RealmOpened,
    RoomClosed,
    RoomOpened,
    RoomRole,
    WorldClosed,
)
from dcl_comms_station.clean import clean, short
from dcl_comms_station.demo.script import CAST, SINGER, Role, farewell, greeting, whisper
from dcl_comms_station.residents.tone import PITCH
from dcl_comms_station.rooms import in_rooms

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dcl_comms_drivers.connection.base import BaseConnection

    from dcl_comms_core import Vector3
    from dcl_comms_core.events import Event
    from dcl_comms_station.demo.transcript import Transcript

__all__ = ["STEP_SECONDS", "Line", "Part"]

STEP_SECONDS: Final = 0.1
"""How often a part walks; real explorers send their movement ten times a second at most, too."""

_RADIUS: Final = 2.0
_SPEED: Final = 1.5
_HURRY: Final = 8.0
_ISLAND: Final = RoomRole.ISLAND.value
_PULSE: Final = "pulse"
_ONE_OF_SEVERAL: Final = {_ISLAND: "leaves its last island's room", _PULSE: "is on Pulse no more"}
"""What is said at the end of a room that is not the end of all."""
_STRANGER: Final = "somebody"
_Triple: TypeAlias = "tuple[float, float, float]"


@dataclass(frozen=True, slots=True)
class Line:
    """Something that was read."""

    speaker: str
    text: str
    private: bool


class Part:
    """One role of the script, in one room or one realm."""

    def __init__(
        self, role: Role, identities: Mapping[str, str], transcript: Transcript, *, sound: bool, whispers: bool = True
    ) -> None:
        self.role = role
        self.others = tuple(other for other in CAST if other.name != role.name)
        self.read: list[Line] = []
        """Every chat line, in order."""
        self.seen: set[str] = set()
        """Whose movements were read."""
        self.by_pulse: set[str] = set()
        """Of whom Pulse told."""
        self.talked_in: set[str] = set()
        """The rooms in which others were read."""
        self.islands: list[str] = []
        """Where the realm put it, in order."""
        self.heard: float | None = None
        """The pitch of the tone that was heard, Hz."""
        self.done = False
        """Time to leave: the play is over, or the room is."""
        self._names = {PeerId(identity): name for name, identity in identities.items()}
        self._identities = {name: PeerId(identity) for name, identity in identities.items()}
        self._transcript = transcript
        self._sound = sound
        self._whispers = whispers
        self._open = False
        self._greeted = False
        self._parted = False
        self._sang = False
        self._steps = 0
        self._first_at: dict[str, Vector3] = {}
        self._afoot: set[str] = set()
        """Who was seen at two places."""

    # --- what the loop calls

    def take(self, event: Event, room: BaseConnection) -> None:  # noqa: C901 - one short case for each kind of event
        """Something happened."""
        match event:
            case RealmOpened():
                self._note("is in the realm")
            case IslandChanged():
                self.islands.append(event.island)
                self._note(f"is on island {clean(event.island, limit=20)} ({event.adapter.protocol})")
            case RoomOpened():
                self._enter(event)
            case ChatReceived(sender=PeerId() as sender):
                self._read(self.name_of(sender), event)
            case PeerMoved(sender=PeerId() as sender):
                self._see(self.name_of(sender), event)
            case PeerIdentified():
                # These came before the room knew whose they were; now their sender is filled in.
                for early in event.early:
                    self.take(early, room)
            case PeerLeft():
                self._note(f"sees {self.name_of(event.sender)} leave")
            case RoomClosed() if event.room in _ONE_OF_SEVERAL:
                self._note(_ONE_OF_SEVERAL[event.room])
            case RoomClosed() | WorldClosed():
                self._note(f"is out: {clean(event.reason.value)} {clean(event.detail, limit=200)}".rstrip())
                self.done = True
            case _:
                pass  # tracks are the loop's business, the rest is nobody's
        self._go_on(room)

    def _enter(self, opened: RoomOpened) -> None:
        if opened.room == _PULSE:
            self._note("is on Pulse")
        else:
            self._open = True
            self._note(f"joins as {short(str(opened.identity))}")

    def step(self, room: BaseConnection) -> None:
        """Walk a step, once we are in."""
        if not self._open or self.done:
            return
        if self.role.start is not None and self._steps == 0 and not self._sees_both_walk():
            return
        if self._steps == 0:
            self._note("starts to walk")
        position, velocity, yaw = self._where(self._steps * STEP_SECONDS)
        room.move(position, velocity=velocity, yaw=yaw)
        self._steps += 1
        self._go_on(room)

    def _sees_both_walk(self) -> bool:
        """Where islands are far apart, each of them has its own by then."""
        return all(other.name in self._afoot for other in self.others)

    def _where(self, seconds: float) -> tuple[_Triple, _Triple, float]:
        """Position, velocity (m/s) and yaw (degrees) after so long a walk: straight to the circle, and around on it."""
        east, north = self.role.centre
        onto = east, north + _RADIUS
        start = self.role.start or onto
        takes = dist(start, onto) / _HURRY
        if seconds < takes:
            speed = (onto[0] - start[0]) / takes, (onto[1] - start[1]) / takes
            position = start[0] + speed[0] * seconds, 0.0, start[1] + speed[1] * seconds
            return position, (speed[0], 0.0, speed[1]), degrees(atan2(*speed))
        angle = (seconds - takes) * _SPEED / _RADIUS
        position = east + _RADIUS * sin(angle), 0.0, north + _RADIUS * cos(angle)
        return position, (_SPEED * cos(angle), 0.0, -_SPEED * sin(angle)), degrees(angle + pi / 2.0)

    def hear(self, pitch: float) -> None:
        """The loop's ear heard a tone."""
        if self.heard is None:
            self._note(f"hears {pitch:.0f} Hz")
            self.heard = pitch

    def takes_the_microphone(self) -> bool:
        """True once, when it is time for this part to play the tone."""
        if not (self._sound and self.role.name == SINGER and self._greeted) or self._sang:
            return False
        self._sang = True
        self._note(f"plays {PITCH:.0f} Hz")
        return True

    # --- what follows from it

    def _go_on(self, room: BaseConnection) -> None:
        """Say what is due."""
        if not self._open or self.done:
            return
        there = in_rooms(room)
        company = all(self._identities[other.name] in there for other in self.others)
        if not self._greeted and company:
            self._greeted = True
            self.say(room, greeting(self.role))
            if self._whispers and self.role.whispers_to is not None:
                self.say(room, whisper(self.role), self.role.whispers_to)
        if self._greeted and not self._parted and self._has_all():
            self._parted = True
            self.say(room, farewell(self.role))
        if self._parted and all(self.has_read(other, farewell(other)) for other in self.others):
            self.done = True

    def say(self, room: BaseConnection, text: str, to: str | None = None) -> None:
        """Write to everybody, or to one."""
        self._note(f"says to {'everybody' if to is None else f'{to} alone'}", text)
        if to is None:
            room.chat(text)
        else:
            room.chat(text, to=self._identities[to])

    def _has_all(self) -> bool:
        """Whether everything was read that is to come before the farewells."""
        return (
            all(self.has_read(other, greeting(other)) and other.name in self.seen for other in self.others)
            and all(self.has_read(other, whisper(other), private=True) for other in self.confidants)
            and (self.heard is not None or not self._sound or self.role.name == SINGER)
        )

    @property
    def confidants(self) -> tuple[Role, ...]:
        """Who whispers to this part."""
        return tuple(other for other in self.others if self._whispers and other.whispers_to == self.role.name)

    def has_read(self, speaker: Role, text: str, *, private: bool = False) -> bool:
        """Whether these very words came from this very peer."""
        return Line(speaker.name, text, private) in self.read

    def _read(self, speaker: str, event: ChatReceived) -> None:
        self.read.append(Line(speaker, event.text, event.private))
        self.talked_in.add(event.room)
        self._note(f"reads {speaker}{' in private' if event.private else ''}", event.text)

    def _see(self, walker: str, event: PeerMoved) -> None:
        if event.room == _PULSE:
            self.by_pulse.add(walker)
        if walker not in self.seen:
            self.seen.add(walker)
            told = ", by Pulse" if event.room == _PULSE else ""
            at = event.position
            self._note(f"sees {walker} at x {at.x:.1f}, z {at.z:.1f}, heading {event.yaw:.0f}°{told}")
        if event.position != self._first_at.setdefault(walker, event.position):
            self._afoot.add(walker)

    @property
    def island(self) -> str | None:
        """Where the realm put it last."""
        return self.islands[-1] if self.islands else None

    def name_of(self, who: PeerId) -> str:
        """What a colleague is called."""
        return self._names.get(who, _STRANGER)

    def _note(self, what: str, text: str = "") -> None:
        self._transcript.note(self.role.name, what, text)
