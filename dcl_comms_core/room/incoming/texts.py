"""What a server says of a room, of who is there and of their tracks: no text of it is longer than its limit.

LiveKit's own server has limits of that sort, another one need not; so it is done before anything is kept or told.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from dcl_comms_core.events import LimitReached
from dcl_comms_core.inputs import (
    CommandFailed,
    LinkClosed,
    LinkFailed,
    LinkMoved,
    LinkOpened,
    OwnTrackVanished,
    ParticipantJoined,
    ParticipantUpdated,
    RoomMetadataGiven,
    SpeakersHeard,
    TrackAppeared,
    TrackFailed,
)
from dcl_comms_core.tools.by_type import ByType

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed import DataclassInstance

    from dcl_comms_core.inputs import LinkInput, Participant
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.room.output import Output
    from dcl_comms_core.tools.clock import Clock

__all__ = ["Texts"]

_T = TypeVar("_T", bound="DataclassInstance")


class Texts:
    """Of one room.  Each limit is told once, while we are in the room, and counted as ``dropped.<its name>``."""

    __slots__ = ("_clock", "_limits", "_output", "_readers", "_told", "_untold")

    def __init__(self, output: Output, clock: Clock, limits: Limits) -> None:
        self._output = output
        self._clock = clock
        self._limits = limits
        self._told: set[str] = set()
        self._untold: list[str] = []
        self._readers: ByType[Callable[[Any], LinkInput | None]] = ByType(
            {
                LinkOpened: self._opened,
                LinkMoved: self._moved,
                RoomMetadataGiven: lambda inp: _with(inp, metadata=self._metadata(inp.metadata)),
                ParticipantJoined: lambda inp: _with(inp, participant=self._person(inp.participant)),
                ParticipantUpdated: lambda inp: _with(inp, participant=self._person(inp.participant)),
                TrackAppeared: self._track,
                OwnTrackVanished: lambda inp: _with(inp, sid=self._cut(inp.sid, "sid_chars")),
                SpeakersHeard: self._speakers,
                **dict.fromkeys(
                    (TrackFailed, CommandFailed, LinkFailed, LinkClosed),
                    lambda inp: _with(inp, detail=self._cut(inp.detail, "detail_chars")),
                ),
            }
        )

    def bounded(self, inp: LinkInput) -> LinkInput | None:
        """The same with no text that is too long.  None: it is about a track that nobody could name."""
        reader = self._readers[type(inp)]
        return inp if reader is None else reader(inp)

    def tell(self) -> None:
        """Tell the limits that were reached, now that we are in the room."""
        for limit in self._untold:
            value: int = getattr(self._limits, limit)
            self._output.events.append(
                LimitReached(at=self._clock.now, room=self._output.room, limit=limit, value=value)
            )
        self._untold.clear()

    # --- inputs

    def _opened(self, inp: LinkOpened) -> LinkInput:
        people = tuple(map(self._person, inp.participants))
        if all(new is old for new, old in zip(people, inp.participants, strict=True)):
            people = inp.participants
        return _with(
            inp,
            room=self._cut(inp.room, "name_chars"),
            sid=self._cut(inp.sid, "sid_chars"),
            metadata=self._metadata(inp.metadata),
            participants=people,
        )

    def _moved(self, inp: LinkMoved) -> LinkInput:
        return _with(
            inp,
            room=self._cut(inp.room, "name_chars"),
            sid=self._cut(inp.sid, "sid_chars"),
            metadata=self._metadata(inp.metadata),
        )

    def _person(self, who: Participant) -> Participant:
        attributes = who.attributes
        if sum(len(name) + len(value) for name, value in attributes) > self._limits.metadata_chars:
            self._reached("metadata_chars")
            attributes = ()
        return _with(
            who,
            sid=self._cut(who.sid, "sid_chars"),
            name=self._cut(who.name, "name_chars"),
            metadata=self._metadata(who.metadata),
            attributes=attributes,
        )

    def _track(self, inp: TrackAppeared) -> LinkInput | None:
        track = inp.track
        if len(track.sid) > self._limits.sid_chars:
            self._reached("sid_chars")
            return None
        return _with(inp, track=_with(track, name=self._cut(track.name, "name_chars")))

    def _speakers(self, inp: SpeakersHeard) -> LinkInput:
        named = tuple(who for who in inp.identities if len(who) <= self._limits.identity_chars)
        if len(named) < len(inp.identities):
            self._reached("identity_chars")
        # All that may be known, and ourselves.
        most = self._limits.peers + 1
        if len(named) > most:
            self._reached("peers")
            named = named[:most]
        return inp if len(named) == len(inp.identities) else replace(inp, identities=named)

    # --- texts

    def _cut(self, text: str, limit: str) -> str:
        most: int = getattr(self._limits, limit)
        if len(text) <= most:
            return text
        self._reached(limit)
        return text[:most]

    def _metadata(self, text: str) -> str:
        # A piece of a document is none.
        if len(text) <= self._limits.metadata_chars:
            return text
        self._reached("metadata_chars")
        return ""

    def _reached(self, limit: str) -> None:
        self._output.counters["dropped." + limit] += 1
        if limit not in self._told:
            self._told.add(limit)
            self._untold.append(limit)


def _with(thing: _T, **values: object) -> _T:
    """A dataclass with these values: itself, where it has them already."""
    new = {name: value for name, value in values.items() if getattr(thing, name) is not value}
    return replace(thing, **new) if new else thing
