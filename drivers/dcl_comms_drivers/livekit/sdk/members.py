"""Who and what is in a room: the SDK's news of participants and tracks as inputs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from livekit import rtc

from dcl_comms_core.inputs import (
    Input,
    LinkRef,
    Participant,
    ParticipantJoined,
    ParticipantLeft,
    ParticipantUpdated,
    SpeakersHeard,
    Track,
    TrackAppeared,
    TrackAttached,
    TrackDetached,
    TrackFailed,
    TrackKind,
    TrackMuteChanged,
    TrackVanished,
)
from dcl_comms_drivers.livekit.errors import redact
from dcl_comms_drivers.livekit.sources import source_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

__all__ = ["SdkMembers"]

_KINDS: Final = {rtc.TrackKind.KIND_AUDIO: TrackKind.AUDIO, rtc.TrackKind.KIND_VIDEO: TrackKind.VIDEO}


class SdkMembers:
    """The participants and tracks of one room, as the SDK tells of them in its own thread."""

    def __init__(self, ref: LinkRef) -> None:
        self._ref = ref
        self._me = Participant(identity="")
        self.asked: dict[str, str] = {}
        """Attributes of our own that we asked for: that they are set is no news."""
        self._published: dict[str, tuple[str, rtc.RemoteTrackPublication]] = {}
        self._attached: dict[str, tuple[str, rtc.RemoteTrack]] = {}
        self._when_detached: dict[str, list[Callable[[], None]]] = {}
        self.readers: Final[Mapping[str, Callable[..., Iterable[Input]]]] = {
            "participant_connected": self._joined,
            "participant_disconnected": self._left,
            "participant_metadata_changed": self._redescribed,
            "participant_name_changed": self._redescribed,
            "participant_attributes_changed": self._reattributed,
            "track_published": self._appeared,
            "track_unpublished": self._vanished,
            "track_subscribed": self._subscribed,
            "track_unsubscribed": self._unsubscribed,
            "track_subscription_failed": self._failed,
            "track_muted": self._muted,
            "active_speakers_changed": self._speakers,
            "track_unmuted": self._muted,
        }
        """By the SDK's names of events: what gives the inputs that one stands for, with the SDK's arguments."""

    def begin(
        self, me: rtc.Participant, present: Iterable[rtc.RemoteParticipant]
    ) -> tuple[list[Participant], list[Input]]:
        """Take in who was there when we joined; return them, and the news of their tracks."""
        self._me = _participant(me)
        people: list[Participant] = []
        tracks: list[Input] = []
        for who in present:
            people.append(_participant(who))
            for publication in who.track_publications.values():
                tracks += self._appeared(publication, who)
        return people, tracks

    def track(self, sid: str) -> rtc.RemoteTrack | None:
        """The SDK's track of a publication that we receive.  From any thread."""
        found = self._attached.get(sid)
        return None if found is None else found[1]

    def when_detached(self, sid: str, call: Callable[[], None]) -> None:
        """Call back when we no longer receive a track: at once, if we don't."""
        if sid in self._attached:
            self._when_detached.setdefault(sid, []).append(call)
        else:
            call()

    def publication(self, sid: str) -> rtc.RemoteTrackPublication | None:
        """The SDK's publication, to subscribe to it."""
        found = self._published.get(sid)
        return None if found is None else found[1]

    # -- participants

    def _joined(self, who: rtc.RemoteParticipant) -> Iterator[Input]:
        yield ParticipantJoined(link=self._ref, participant=_participant(who))

    def _left(self, who: rtc.RemoteParticipant) -> Iterator[Input]:
        for sid in [sid for sid, (owner, _) in self._attached.items() if owner == who.identity]:
            yield from self._detached(sid)
        for publication in [publication for owner, publication in self._published.values() if owner == who.identity]:
            yield from self._vanished(publication, who)
        yield ParticipantLeft(link=self._ref, identity=who.identity)

    def _redescribed(self, who: rtc.Participant, _before: str, _now: str) -> Iterator[Input]:
        return self._changed(who)

    def _reattributed(self, _changed: dict[str, str], who: rtc.Participant) -> Iterator[Input]:
        return self._changed(who)

    def _changed(self, who: rtc.Participant) -> Iterator[Input]:
        about = _participant(who)
        if who.identity == self._me.identity:
            about = replace(
                about, attributes=tuple(pair for pair in about.attributes if pair not in self.asked.items())
            )
            before, self._me = self._me, about
            if about == before:
                return
        yield ParticipantUpdated(link=self._ref, participant=about)

    # -- tracks

    def _appeared(self, publication: rtc.RemoteTrackPublication, who: rtc.RemoteParticipant) -> Iterator[Input]:
        kind = _KINDS.get(publication.kind)
        if kind is None:
            return
        self._published[publication.sid] = (who.identity, publication)
        track = Track(
            sid=publication.sid,
            kind=kind,
            source=source_of(publication.source),
            name=publication.name,
            muted=publication.muted,
            encrypted=_is_encrypted(publication),
        )
        yield TrackAppeared(link=self._ref, identity=who.identity, track=track)

    def _vanished(self, publication: rtc.RemoteTrackPublication, who: rtc.RemoteParticipant) -> Iterator[Input]:
        if self._published.pop(publication.sid, None) is not None:
            yield TrackVanished(link=self._ref, identity=who.identity, sid=publication.sid)

    def _subscribed(
        self, track: rtc.RemoteTrack, publication: rtc.RemoteTrackPublication, who: rtc.RemoteParticipant
    ) -> Iterator[Input]:
        self._attached[publication.sid] = (who.identity, track)
        yield TrackAttached(link=self._ref, identity=who.identity, sid=publication.sid)

    def _unsubscribed(
        self, _track: rtc.RemoteTrack, publication: rtc.RemoteTrackPublication, _who: rtc.RemoteParticipant
    ) -> Iterator[Input]:
        return self._detached(publication.sid)

    def _failed(self, who: rtc.RemoteParticipant, sid: str, error: str) -> Iterator[Input]:
        yield TrackFailed(link=self._ref, identity=who.identity, sid=sid, detail=redact(error))

    def is_encrypted(self, sid: str) -> bool:
        """Whether a track is encrypted end to end.  From any thread."""
        found = self._published.get(sid)
        return found is not None and _is_encrypted(found[1])

    def _detached(self, sid: str) -> Iterator[Input]:
        known = self._attached.pop(sid, None)
        for call in self._when_detached.pop(sid, ()):
            call()
        if known is not None:
            yield TrackDetached(link=self._ref, identity=known[0], sid=sid)

    def _speakers(self, speaking: list[rtc.Participant]) -> Iterator[Input]:
        yield SpeakersHeard(link=self._ref, identities=tuple(who.identity for who in speaking))

    def _muted(self, who: rtc.Participant, publication: rtc.TrackPublication) -> Iterator[Input]:
        # Our own tracks are reported too; they are not among the publications of others.
        if publication.sid in self._published:
            yield TrackMuteChanged(link=self._ref, identity=who.identity, sid=publication.sid, muted=publication.muted)


def _participant(who: rtc.Participant) -> Participant:
    attributes = tuple(who.attributes.items())
    return Participant(identity=who.identity, sid=who.sid, name=who.name, metadata=who.metadata, attributes=attributes)


def _is_encrypted(publication: rtc.TrackPublication) -> bool:
    return publication.encryption_type != rtc.EncryptionType.NONE
