"""Who and what is in a LiveKit room, from what its server tells: news as inputs, the newest word of each kept.

Infos of a participant carry a version that only grows; an identity that comes with another sid is another session of
it, and the newer one counts: for us a leaving and a joining.  The server tells of those who joined every 3 seconds.
"""

from __future__ import annotations

import dataclasses
from itertools import chain
from typing import TYPE_CHECKING, Final

from dcl_comms_core.inputs import (
    LinkRef,
    Participant,
    ParticipantJoined,
    ParticipantLeft,
    ParticipantUpdated,
    Permissions,
    PermissionsGiven,
    SpeakersHeard,
    Track,
    TrackAppeared,
    TrackKind,
    TrackMuteChanged,
    TrackSource,
    TrackVanished,
)
from dcl_comms_core.proto import livekit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from dcl_comms_core.inputs import LinkInput
    from dcl_comms_core.limits import Limits

__all__ = ["Members", "permissions_of"]

_KINDS: Final = {livekit.TrackType.AUDIO: TrackKind.AUDIO, livekit.TrackType.VIDEO: TrackKind.VIDEO}
_SOURCES: Final[Mapping[int, TrackSource]] = {
    livekit.TrackSource.CAMERA: TrackSource.CAMERA,
    livekit.TrackSource.MICROPHONE: TrackSource.MICROPHONE,
    livekit.TrackSource.SCREEN_SHARE: TrackSource.SCREEN_SHARE,
    livekit.TrackSource.SCREEN_SHARE_AUDIO: TrackSource.SCREEN_SHARE_AUDIO,
}


_OVERHEAD: Final = 64
_WIDEST: Final = 4
"""Bytes that a text takes beside its characters, and that one character takes at most."""


class _Member:
    """One participant, as told last."""

    __slots__ = ("age", "sid", "size", "tracks", "version", "who")

    def __init__(self, info: livekit.ParticipantInfo) -> None:
        self.sid = info.sid
        self.version = info.version
        self.age = (info.joined_at, info.joined_at_ms, info.sid)
        """What orders the sessions of one identity."""
        self.who = _participant(info)
        self.tracks = _tracks(info)
        texts = [info.identity, info.sid, info.name, info.metadata, *chain.from_iterable(info.attributes.items())]
        for track in self.tracks.values():
            texts += track.sid, track.name
        self.size = sum(_OVERHEAD + (len(text) if text.isascii() else _WIDEST * len(text)) for text in texts)
        """Bytes of memory, about."""


class Members:
    """The participants of one room, ourselves among them, and their tracks.  ``ref``: whose news these are.

    Who is one too many is not told of, until there is room and the server tells of him again.
    """

    def __init__(self, ref: LinkRef, limits: Limits) -> None:
        self._ref = ref
        self._limits = limits
        self._bytes = 0
        self.me = Participant(identity="")
        """Ourselves."""
        self._my_version = 0
        self._permissions: Permissions | None = None
        self._members: dict[str, _Member] = {}
        self._speaking: dict[str, float] = {}
        """How loud those are who speak, by sid."""
        self.asked: dict[str, str] = {}
        """Attributes of ours that we asked for: that they are set is no news."""

    @property
    def present(self) -> tuple[Participant, ...]:
        """Everybody but us."""
        return tuple(member.who for member in self._members.values())

    @property
    def permissions(self) -> Permissions | None:
        """What the server lets us do; None: it did not say."""
        return self._permissions

    def move(self, me: livekit.ParticipantInfo) -> Iterator[LinkInput]:
        """We are somebody in a room, the first or another one."""
        self.me = _participant(me)
        self._my_version = me.version
        self._speaking.clear()
        yield from self._permitted(me)

    def beside(self) -> Iterator[LinkInput]:
        """The news of who is present already: tracks, and who speaks."""
        for member in self._members.values():
            yield from self._appeared(member, {})
        if self._speaking:
            yield self._speakers()

    def update(self, infos: Iterable[livekit.ParticipantInfo]) -> Iterator[LinkInput]:
        """Take what the server tells of some participants."""
        for info in infos:
            if info.identity == self.me.identity:
                yield from self._about_us(info)
            elif info.state is livekit.ParticipantState.DISCONNECTED:
                yield from self._gone(info)
            elif info.identity:
                yield from self._about(info)

    def replace(self, infos: Iterable[livekit.ParticipantInfo]) -> Iterator[LinkInput]:
        """Take a list of everybody: who is missing in it has left."""
        infos = tuple(infos)
        there = {info.identity for info in infos if info.state is not livekit.ParticipantState.DISCONNECTED}
        for identity in [identity for identity in self._members if identity not in there]:
            yield from self._left(identity)
        yield from self.update(infos)

    def heard(self, speakers: Iterable[livekit.SpeakerInfo]) -> LinkInput:
        """Take whose loudness changed; gives who speaks now."""
        sids = self._sids()
        for one in speakers:
            if one.active and one.sid in sids:
                self._speaking[one.sid] = one.level
            else:
                self._speaking.pop(one.sid, None)
        return self._speakers()

    # --- somebody else

    def _about(self, info: livekit.ParticipantInfo) -> Iterator[LinkInput]:
        known = self._members.get(info.identity)
        new = _Member(info)
        if known is not None and known.sid != info.sid:
            if new.age < known.age:
                return
            yield from self._left(info.identity)
            known = None
        if known is None:
            if self._has_room(new, None):
                self._put(new)
                yield ParticipantJoined(link=self._ref, participant=new.who)
                yield from self._appeared(new, {})
        elif info.version >= known.version:
            if not self._has_room(new, known):
                return
            self._bytes -= known.size
            self._put(new)
            if new.who != known.who:
                yield ParticipantUpdated(link=self._ref, participant=new.who)
            yield from self._vanished(known, new.tracks)
            yield from self._appeared(new, known.tracks)

    def _has_room(self, member: _Member, instead: _Member | None) -> bool:
        """Whether there is room for one more, or in place of one."""
        if instead is None and len(self._members) >= self._limits.room_members:
            return False
        freed = 0 if instead is None else instead.size
        return self._bytes - freed + member.size <= self._limits.room_members_bytes

    def _put(self, member: _Member) -> None:
        self._members[member.who.identity] = member
        self._bytes += member.size

    def _gone(self, info: livekit.ParticipantInfo) -> Iterator[LinkInput]:
        known = self._members.get(info.identity)
        # Of an older session of somebody who is back already it is no news.
        if known is not None and known.sid == info.sid:
            yield from self._left(info.identity)

    def _left(self, identity: str) -> Iterator[LinkInput]:
        member = self._members.pop(identity)
        self._bytes -= member.size
        if self._speaking.pop(member.sid, None) is not None:
            yield self._speakers()
        yield from self._vanished(member, {})
        yield ParticipantLeft(link=self._ref, identity=identity)

    def _appeared(self, member: _Member, before: Mapping[str, Track]) -> Iterator[LinkInput]:
        identity = member.who.identity
        for sid, track in member.tracks.items():
            if sid not in before:
                yield TrackAppeared(link=self._ref, identity=identity, track=track)
            elif before[sid].muted is not track.muted:
                yield TrackMuteChanged(link=self._ref, identity=identity, sid=sid, muted=track.muted)

    def _vanished(self, member: _Member, left: Mapping[str, Track]) -> Iterator[LinkInput]:
        for sid in member.tracks:
            if sid not in left:
                yield TrackVanished(link=self._ref, identity=member.who.identity, sid=sid)

    def _speakers(self) -> LinkInput:
        sids = self._sids()
        loudest = sorted(self._speaking.items(), key=lambda item: -item[1])
        return SpeakersHeard(link=self._ref, identities=tuple(sids[sid] for sid, _ in loudest if sid in sids))

    def _sids(self) -> dict[str, str]:
        sids = {member.sid: identity for identity, member in self._members.items()}
        sids[self.me.sid] = self.me.identity
        return sids

    # --- ourselves

    def _about_us(self, info: livekit.ParticipantInfo) -> Iterator[LinkInput]:
        if info.sid != self.me.sid or info.version < self._my_version:
            return
        self._my_version = info.version
        told = tuple((name, value) for name, value in info.attributes.items() if self.asked.get(name) != value)
        me = dataclasses.replace(_participant(info), attributes=told)
        if me != self.me:
            self.me = me
            yield ParticipantUpdated(link=self._ref, participant=me)
        yield from self._permitted(info)

    def _permitted(self, info: livekit.ParticipantInfo) -> Iterator[LinkInput]:
        permissions = self._permissions if info.permission is None else permissions_of(info.permission)
        if permissions is not None and permissions != self._permissions:
            self._permissions = permissions
            yield PermissionsGiven(link=self._ref, permissions=permissions)

    def forget(self, attributes: Mapping[str, str]) -> None:
        """What we asked for was refused."""
        for name in attributes:
            self.asked.pop(name, None)


def _participant(info: livekit.ParticipantInfo) -> Participant:
    return Participant(
        identity=info.identity,
        sid=info.sid,
        name=info.name,
        metadata=info.metadata,
        attributes=tuple(info.attributes.items()),
    )


def _tracks(info: livekit.ParticipantInfo) -> dict[str, Track]:
    return {
        track.sid: Track(
            sid=track.sid,
            kind=kind,
            source=_SOURCES.get(track.source, TrackSource.UNKNOWN),
            name=track.name,
            muted=track.muted,
            encrypted=track.encryption != 0,
        )
        for track in info.tracks
        if (kind := _KINDS.get(track.type)) is not None
    }


def permissions_of(permission: livekit.ParticipantPermission) -> Permissions:
    """What the server lets us do."""
    sources = tuple(_SOURCES[number].value for number in permission.can_publish_sources if number in _SOURCES)
    return Permissions(
        can_publish=permission.can_publish,
        can_publish_data=permission.can_publish_data,
        can_subscribe=permission.can_subscribe,
        can_publish_sources=sources or None,
        can_update_own_metadata=permission.can_update_metadata,
        hidden=permission.hidden,
    )
