"""Who and what is in a room: the engine's news of participants and tracks as inputs, and the handles in it.

A participant's handle is of no use to us and is given back at once.  A publication's is kept while it is published,
and a track's while we receive it, because subscribing and listening need them.  While it leaves, the engine takes the
tracks' handles and puts others in their places: what ends then is given back with the room.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from dcl_comms_core.inputs import (
    Input,
    LinkRef,
    Participant,
    ParticipantJoined,
    ParticipantLeft,
    ParticipantUpdated,
    SpeakersHeard,
    TrackAppeared,
    TrackAttached,
    TrackDetached,
    TrackFailed,
    TrackMuteChanged,
    TrackVanished,
)
from dcl_comms_drivers.livekit.engine.translate import participant, track
from dcl_comms_drivers.livekit.errors import redact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from dcl_comms_drivers.livekit.engine.engine import Engine
    from dcl_comms_drivers.livekit.engine.ffi import participant_pb2, room_pb2, track_pb2
    from dcl_comms_drivers.livekit.own_tracks import OwnTracks

__all__ = ["Members"]


class Members:
    """The participants and tracks of one room."""

    def __init__(self, ref: LinkRef, engine: Engine, own_tracks: OwnTracks) -> None:
        self._ref = ref
        self._own_tracks = own_tracks
        self._engine = engine
        self._me = Participant(identity="")
        self.asked: dict[str, str] = {}
        """Attributes of our own that we asked for: that they are set is no news."""
        self._people: dict[str, Participant] = {}
        self._publications: dict[str, tuple[str, int]] = {}
        self._encrypted: set[str] = set()
        self._attached: dict[str, tuple[str, int]] = {}
        self._leaving = False
        self._late: list[int] = []
        """Handles of tracks that ended while the room is left."""
        self._readers: Final[dict[str, Callable[[room_pb2.RoomEvent], Iterable[Input]]]] = {
            "participant_connected": lambda event: self._joined(event.participant_connected.info),
            "participant_disconnected": lambda event: self._left(event.participant_disconnected.participant_identity),
            "participant_metadata_changed": self._metadata_changed,
            "participant_name_changed": self._name_changed,
            "participant_attributes_changed": self._attributes_changed,
            "track_published": self._published,
            "track_unpublished": lambda event: self._vanished(event.track_unpublished.publication_sid),
            "track_subscribed": self._subscribed,
            "track_subscription_failed": self._failed,
            "track_unsubscribed": lambda event: self._detached(event.track_unsubscribed.track_sid),
            "track_muted": lambda event: self._muted(event.track_muted.track_sid, muted=True),
            "active_speakers_changed": self._speakers,
            "track_unmuted": lambda event: self._muted(event.track_unmuted.track_sid, muted=False),
        }

    def begin(
        self,
        me: participant_pb2.ParticipantInfo,
        present: Iterable[room_pb2.ConnectCallback.ParticipantWithTracks],
    ) -> tuple[list[Participant], list[Input]]:
        """Take in who was there when we joined; return them, and the news of their tracks."""
        self._me = participant(me)
        tracks: list[Input] = []
        for item in present:
            self._take(item.participant)
            for publication in item.publications:
                tracks += self._appeared(item.participant.info.identity, publication)
        return list(self._people.values()), tracks

    def inputs(self, what: str, event: room_pb2.RoomEvent) -> Iterable[Input] | None:
        """The inputs that an event stands for; None when events of this kind are not about members."""
        reader = self._readers.get(what)
        return None if reader is None else reader(event)

    def track_handle(self, sid: str) -> int | None:
        """The engine's handle of a track that we receive."""
        found = self._attached.get(sid)
        return None if found is None else found[1]

    def publication_handle(self, sid: str) -> int | None:
        """The engine's handle of a publication, to subscribe to it."""
        found = self._publications.get(sid)
        return None if found is None else found[1]

    def is_encrypted(self, sid: str) -> bool:
        """Whether a track is encrypted end to end."""
        return sid in self._encrypted

    def leave(self) -> None:
        """The engine is asked to leave the room."""
        self._leaving = True

    def end(self) -> list[int]:
        """Forget everybody; return the handles to give back."""
        kept = (*self._publications.values(), *self._attached.values())
        handles, self._late = [*self._late, *(handle for _, handle in kept)], []
        self._people.clear()
        self._publications.clear()
        self._attached.clear()
        return handles

    # -- participants

    def _take(self, owned: participant_pb2.OwnedParticipant) -> Participant:
        self._engine.release(owned.handle.id)
        who = self._people[owned.info.identity] = participant(owned.info)
        return who

    def _joined(self, owned: participant_pb2.OwnedParticipant) -> Iterator[Input]:
        yield ParticipantJoined(link=self._ref, participant=self._take(owned))

    def _left(self, identity: str) -> Iterator[Input]:
        for sid in [sid for sid, (owner, _) in self._attached.items() if owner == identity]:
            yield from self._detached(sid)
        for sid in [sid for sid, (owner, _) in self._publications.items() if owner == identity]:
            yield from self._vanished(sid)
        self._people.pop(identity, None)
        yield ParticipantLeft(link=self._ref, identity=identity)

    def _metadata_changed(self, event: room_pb2.RoomEvent) -> Iterator[Input]:
        change = event.participant_metadata_changed
        who = self._person(change.participant_identity)
        if who is not None:
            yield from self._changed(who, replace(who, metadata=change.metadata))

    def _name_changed(self, event: room_pb2.RoomEvent) -> Iterator[Input]:
        change = event.participant_name_changed
        who = self._person(change.participant_identity)
        if who is not None:
            yield from self._changed(who, replace(who, name=change.name))

    def _attributes_changed(self, event: room_pb2.RoomEvent) -> Iterator[Input]:
        change = event.participant_attributes_changed
        who = self._person(change.participant_identity)
        if who is not None:
            asked = self.asked if who is self._me else {}
            attributes = tuple(
                (item.key, item.value) for item in change.attributes if asked.get(item.key) != item.value
            )
            yield from self._changed(who, replace(who, attributes=attributes))

    def _person(self, identity: str) -> Participant | None:
        return self._me if identity == self._me.identity else self._people.get(identity)

    def _changed(self, before: Participant, who: Participant) -> Iterator[Input]:
        if who == before:
            return
        if before is self._me:
            self._me = who
        else:
            self._people[who.identity] = who
        yield ParticipantUpdated(link=self._ref, participant=who)

    # -- tracks

    def _published(self, event: room_pb2.RoomEvent) -> Iterable[Input]:
        return self._appeared(event.track_published.participant_identity, event.track_published.publication)

    def _appeared(self, identity: str, owned: track_pb2.OwnedTrackPublication) -> list[Input]:
        known = self._publications.pop(owned.info.sid, None)
        if known is not None:
            self._engine.drop(known[1])
        found = track(owned.info)
        if found is None:
            self._engine.release(owned.handle.id)
            return []
        self._publications[found.sid] = (identity, self._engine.own(owned.handle.id))
        if found.encrypted:
            self._encrypted.add(found.sid)
        return [TrackAppeared(link=self._ref, identity=identity, track=found)]

    def _vanished(self, sid: str) -> Iterator[Input]:
        known = self._publications.pop(sid, None)
        self._encrypted.discard(sid)
        if known is not None:
            self._engine.drop(known[1])
            yield TrackVanished(link=self._ref, identity=known[0], sid=sid)

    def _subscribed(self, event: room_pb2.RoomEvent) -> Iterator[Input]:
        change = event.track_subscribed
        sid = change.track.info.sid
        known = self._attached.pop(sid, None)
        if known is not None:
            self._give_back_track(known[1])
        self._attached[sid] = (change.participant_identity, self._engine.own(change.track.handle.id))
        yield TrackAttached(link=self._ref, identity=change.participant_identity, sid=sid)

    def _failed(self, event: room_pb2.RoomEvent) -> Iterator[Input]:
        change = event.track_subscription_failed
        yield TrackFailed(
            link=self._ref, identity=change.participant_identity, sid=change.track_sid, detail=redact(change.error)
        )

    def _detached(self, sid: str) -> Iterator[Input]:
        known = self._attached.pop(sid, None)
        if known is not None:
            self._give_back_track(known[1])
            yield TrackDetached(link=self._ref, identity=known[0], sid=sid)

    def _give_back_track(self, handle: int) -> None:
        if self._leaving:
            self._late.append(handle)
        else:
            self._engine.drop(handle)

    def _speakers(self, event: room_pb2.RoomEvent) -> Iterator[Input]:
        identities = tuple(event.active_speakers_changed.participant_identities)
        yield SpeakersHeard(link=self._ref, identities=identities)

    def _muted(self, sid: str, *, muted: bool) -> Iterator[Input]:
        self._own_tracks.mute(sid, muted=muted)
        known = self._publications.get(sid)
        if known is not None:
            yield TrackMuteChanged(link=self._ref, identity=known[0], sid=sid, muted=muted)
