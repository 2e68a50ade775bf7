"""All the transports of a WorldSession behind one link: the network, and a link for each room that has its own."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from dcl_comms_core.commands import OpenDatagrams, OpenLink
from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_drivers.in_the_clear import tell_once
from dcl_comms_drivers.media.feeds import innermost, pictures_of, sound_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dcl_comms_core.adapters.connection_string import Adapter
    from dcl_comms_core.commands import Command
    from dcl_comms_core.inputs import Input, TrackSource
    from dcl_comms_core.world.session import WorldSession
    from dcl_comms_drivers.loops.host import ConnectionLink, Link, Listener
    from dcl_comms_drivers.media.feeds import AudioFeed, Reader, VideoFeed
    from dcl_comms_drivers.media.frames import AudioFrame, AudioTrack, VideoFormat, VideoFrame, VideoTrack
    from dcl_comms_drivers.net.link import NetLink

__all__ = ["Door", "WorldLink"]


class Door:
    """Where a room's link delivers: the session is told of which link each packet is."""

    __slots__ = ("_number", "_session", "listener", "receive_data")

    def __init__(self, session: WorldSession, number: int) -> None:
        self._session = session
        self._number = number
        self.listener: Listener = session
        """Where facts go: the session, or what stands before it."""
        self.receive_data = partial(session.receive_data, link=number)
        """Take a packet: the session's own verb, with the number in it, which is a call of Python less for each."""

    def receive(self, inp: Input, *, now: float) -> None:
        """Take a fact."""
        self.listener.receive(inp, now=now)

    def receive_acknowledged(self, tokens: Iterable[int], *, now: float) -> None:
        """Take acknowledgements."""
        self._session.receive_acknowledged(tokens, link=self._number, now=now)


class WorldLink:
    """Sockets, requests and ws-rooms go through ``net``; for each other room ``open_room`` makes a link.

    Its tracks are those of all rooms.  A track of ours is published in the island's room if the token allows it, else
    in the scene's, and goes with the room.  ``is_guest``: nothing of value is lost where others read along.
    """

    name: ClassVar[str] = "world"

    def __init__(
        self, session: WorldSession, net: NetLink, open_room: Callable[[Adapter], ConnectionLink], *, is_guest: bool
    ) -> None:
        self._is_guest = is_guest
        self._session = session
        self._net = net
        self._open_room = open_room
        self.rooms: dict[int, tuple[ConnectionLink, Door]] = {}
        """The links of rooms that have one of their own, by number."""

    def execute(self, command: Command, *, now: float) -> None:
        """Carry a command out; what comes of it arrives through ``drain``."""
        number = command.link.link
        if isinstance(command, OpenDatagrams) and not self._is_guest:
            tell_once()
        if isinstance(command, OpenLink) and number not in self.rooms:
            self.rooms[number] = self._open_room(command.adapter), Door(self._session, number)
        link = self.rooms[number][0] if number in self.rooms else self._net
        link.execute(command, now=now)

    def drain(self, session: Listener, *, now: float, limit: int) -> bool:
        """Deliver up to ``limit`` inputs of each link.  True: more are waiting."""
        more = self._net.drain(session, now=now, limit=limit)
        for link, door in tuple(self.rooms.values()):
            door.listener = session
            more |= link.drain(door, now=now, limit=limit)
        for number in self.rooms.keys() - self._session.rooms.keys():
            self.rooms.pop(number)[0].abandon()
        return more

    def deadline(self) -> float | None:
        """When ``drain`` must be called although nothing woke us; None: not needed."""
        times = (link.deadline() for link, _ in self.rooms.values())
        return min((time for time in times if time is not None), default=None)

    @property
    def names(self) -> dict[str, str]:
        """What carries each room, by the room's name; of two of a name the newer one, unless only the other sends."""
        found: dict[str, str] = {}
        for number, room in sorted(self._session.rooms.items(), key=lambda item: (item[1].sending, item[0])):
            if number in self.rooms:
                found[room.room] = self._link(number).name
            elif room.sending:
                found[room.room] = self._net.name
        return found

    @property
    def let_go(self) -> dict[str, int]:
        """How many datagrams were let go, by reason: see DatagramCounts."""
        return asdict(self._net.counts)

    def measure(self, then: Callable[[float | None], None]) -> None:
        """Ask how many seconds it is to the server of the first room that is open, and back; None: not known."""
        sending = [number for number, room in self._session.rooms.items() if room.sending and number in self.rooms]
        if sending:
            self.rooms[sending[0]][0].measure(then)
        else:
            self._net.measure(then)

    def hasten(self) -> None:
        """Have the servers of all rooms acknowledge soon what they have."""
        for link, _ in self.rooms.values():
            link.hasten()

    def abandon(self) -> None:
        """Let go of everything now."""
        rooms, self.rooms = self.rooms, {}
        for link, _ in rooms.values():
            link.abandon()
        self._net.abandon()

    # --- sound and pictures

    def publish_audio(self, track: AudioTrack) -> AudioFeed:
        """Publish a track that carries sound; see LiveKitLink."""
        return sound_of(self.publisher(track.source)).publish_audio(track)

    def open_audio(self, track_sid: str, *, sample_rate: int, channels: int, max_frames: int) -> Reader[AudioFrame]:
        """Listen to a track that is received."""
        link = sound_of(self._link(self._room_with(track_sid)))
        return link.open_audio(track_sid, sample_rate=sample_rate, channels=channels, max_frames=max_frames)

    def publish_video(self, track: VideoTrack) -> VideoFeed:
        """Publish a track that carries pictures; see LiveKitLink."""
        return pictures_of(self.publisher(track.source)).publish_video(track)

    def open_video(self, track_sid: str, *, format: VideoFormat, max_frames: int) -> Reader[VideoFrame]:  # noqa: A002 - what it is
        """Look at a track that is received."""
        return pictures_of(self._link(self._room_with(track_sid))).open_video(
            track_sid, format=format, max_frames=max_frames
        )

    def publisher(self, source: TrackSource) -> Link:
        """The link that a track of ours goes through.  Raises what ``room_to_publish`` raises."""
        return self._link(self._session.room_to_publish(source))

    def _link(self, number: int) -> Link:
        return innermost(self.rooms[number][0])

    def _room_with(self, track_sid: str) -> int:
        number = self._session.room_with(track_sid)
        if number is None:
            msg = "no room offers this track any more: open tracks between TrackSubscribed and TrackUnsubscribed"
            raise LocalProtocolError(msg)
        return number
