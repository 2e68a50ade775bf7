"""Our own tracks in a room, which the server may mute, end or give another id: the same for the engine and the SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from dcl_comms_core.errors import TrackEnded
from dcl_comms_core.inputs import OwnTrackVanished
from dcl_comms_drivers.livekit.permissions import refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dcl_comms_core.errors import CommsError
    from dcl_comms_core.inputs import Input, LinkRef, Permissions, TrackSource

__all__ = ["OwnTrack", "OwnTracks"]


class OwnTrack(Protocol):
    """One of them, published or on its way to that."""

    source: TrackSource
    sid: str
    """Empty until it is published."""

    @property
    def told(self) -> bool:
        """Whether the application knows of it."""
        ...

    def muted_by(self, *, muted: bool) -> None:
        """It was muted or unmuted, by us or by the server."""
        ...

    def taken(self, problem: CommsError) -> None:
        """The server took it back, or will not have it."""
        ...


class OwnTracks:
    """All of them, from the request on until they end.  For the thread of the loop."""

    def __init__(self, ref: LinkRef) -> None:
        self._ref = ref
        self._tracks: list[OwnTrack] = []

    def add(self, track: OwnTrack) -> None:
        """One more is asked for."""
        self._tracks.append(track)

    def remove(self, track: OwnTrack) -> None:
        """It has ended."""
        self._tracks.remove(track)

    def mute(self, sid: str, *, muted: bool) -> None:
        """A track was muted or unmuted; it may be one of ours."""
        for track in self._tracks:
            if track.sid == sid:
                track.muted_by(muted=muted)

    def restrict(self, permissions: Permissions) -> Iterator[Input]:
        """This is what we may do: what we may not publish any more has ended."""
        for track in self._tracks.copy():
            problem = refusal(permissions, track.source)
            if problem is not None:
                yield from self._end(track, problem)

    def unpublished(self, sid: str) -> Iterator[Input]:
        """A track of ours is not published any more; what we took back is not ours by now."""
        for track in self._tracks.copy():
            if track.sid and track.sid == sid:
                yield from self._end(track, TrackEnded())

    def republished(self, before: str, now: str) -> None:
        """A connection that was made anew published a track again."""
        for track in self._tracks:
            if track.sid == before:
                track.sid = now

    def _end(self, track: OwnTrack, problem: CommsError) -> Iterator[Input]:
        if track.sid and track.told:
            yield OwnTrackVanished(link=self._ref, sid=track.sid)
        track.taken(problem)
