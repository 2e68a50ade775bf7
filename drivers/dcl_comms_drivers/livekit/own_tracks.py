"""Our own tracks in a room, which the server may mute, end or give another id: the same for the engine and the SDK."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from dcl_comms_core.errors import LocalProtocolError, TrackEnded
from dcl_comms_core.inputs import OwnTrackVanished
from dcl_comms_drivers.livekit.permissions import refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dcl_comms_core.errors import CommsError
    from dcl_comms_core.inputs import Input, LinkRef, Permissions, TrackSource

__all__ = ["OwnTrack", "OwnTracks"]


class OwnTrack(ABC):
    """One of them, published or on its way to that.  For the thread of the loop.

    ``command``: the core's command that asked for it, to be answered; empty: the application asked.
    """

    def __init__(self, tracks: OwnTracks, source: TrackSource, *, muted: bool, command: str) -> None:
        self.on_ready: Callable[[], None] | None = None
        self.sid = ""
        """The track's id once it is published."""
        self.source = source
        self.error = ""
        """Why it could not be published; empty when nothing went wrong."""
        self.problem: CommsError | None = None
        """Why the server ended it, or would not have it; None: it did not."""
        self.closed = False
        self.muted = muted
        """Whether it is muted, by us or, as far as that is told, by the server."""
        self.command = command
        self._tracks = tracks
        tracks.add(self)

    @abstractmethod
    def close(self) -> None:
        """Take the track back.  May be repeated."""

    @abstractmethod
    def refuse(self, why: str) -> None:
        """Answer the command: it was not carried out."""

    @property
    def told(self) -> bool:
        """Whether the application knows of it."""
        return not self.command

    def check_open(self) -> None:
        """LocalProtocolError: the track failed, or is closed; PermissionMissing, TrackEnded: the server ended it."""
        if self.problem is not None:
            raise self.problem
        if self.closed or self.error:
            msg = f"the track failed: {self.error}" if self.error else "the track is closed: publish another"
            raise LocalProtocolError(msg)

    def muted_by(self, *, muted: bool) -> None:
        """It was muted or unmuted, by us or by the server."""
        self.muted = muted
        self.ready()

    def taken(self, problem: CommsError) -> None:
        """The server took it back, or will not have it."""
        self.problem = problem
        if self.command and not self.sid:
            self.refuse(str(problem))
        self.close()

    def end(self) -> None:
        """It is one of ours no longer."""
        self.closed = True
        self._tracks.remove(self)

    def ready(self) -> None:
        """Tell whoever uses it that something changed."""
        if self.on_ready is not None:
            self.on_ready()


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
