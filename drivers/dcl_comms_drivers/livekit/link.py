"""The LiveKit link: what the pump of any loop drives, one room at a time.

``execute`` carries out commands, ``drain`` delivers inputs, ``deadline`` asks for time, ``abandon`` lets go: the
``Link`` protocol of ``dcl_comms_drivers.host``, all of it called in the loop's thread.  Only ``wake`` is called from
other threads.  Sound goes through ``publish_audio`` and ``open_audio``; see ``audio``.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from dcl_comms_core.commands import CloseLink, OpenLink, PublishMicrophone, SendData, SetAttributes
from dcl_comms_core.connection import LiveKitAdapter
from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.inputs import LinkClosed, LinkFailed, TrackSource
from dcl_comms_core.limits import DEFAULT_LIMITS
from dcl_comms_core.states import CloseReason
from dcl_comms_drivers.livekit.audio import AudioSink, AudioSource
from dcl_comms_drivers.livekit.engine import Engine, NativeRefusal
from dcl_comms_drivers.livekit.errors import EngineUnavailable
from dcl_comms_drivers.livekit.room import Room

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.commands import Command
    from dcl_comms_core.inputs import Input
    from dcl_comms_drivers.host import Receiver

__all__ = ["LiveKitLink"]

_MICROPHONE = "mic"


class LiveKitLink:
    """A link to LiveKit rooms.

    ``wake`` is called from any thread when ``drain`` has something to deliver; it must not block and must not raise.
    ``rejoin_seconds``: see Limits.
    Raises EngineUnavailable where the engine can't run: no usable wheel, or a process forked off one that used it.
    """

    def __init__(self, wake: Callable[[], None], *, rejoin_seconds: float = DEFAULT_LIMITS.rejoin_seconds) -> None:
        Engine.get()
        self._wake = wake
        self._rejoin_seconds = rejoin_seconds
        self._room: Room | None = None
        self._local: deque[Input] = deque()

    def execute(self, command: Command, *, now: float) -> None:
        """Carry a command out; what comes of it arrives through ``drain``."""
        if isinstance(command, OpenLink):
            self._open(command, now)
            return
        room = self._room
        if room is None or room.ref != command.link:
            # For an attempt that is over: its last word has been said.
            return
        match command:
            case SendData():
                room.send(command)
            case CloseLink():
                room.close(command.drain, now)
            case SetAttributes():
                room.set_attributes(command.attributes)
            case PublishMicrophone():
                self._publish_microphone(room)

    def drain(self, session: Receiver, *, now: float, limit: int) -> bool:
        """Deliver up to ``limit`` inputs.  True: more are waiting."""
        while self._local and limit > 0:
            limit -= 1
            session.receive(self._local.popleft(), now=now)
        room = self._room
        if room is None:
            return bool(self._local)
        return room.drain(session, now=now, limit=limit) or bool(self._local)

    def deadline(self) -> float | None:
        """When ``drain`` must be called although nothing woke us; None: not needed."""
        return None if self._room is None else self._room.deadline()

    def abandon(self) -> None:
        """Let go of everything now; a room that we are in, or still get into, is left in the background."""
        room, self._room = self._room, None
        self._local.clear()
        if room is not None:
            room.abandon()

    # -- tracks

    def publish_audio(
        self,
        name: str = _MICROPHONE,
        *,
        source: TrackSource = TrackSource.MICROPHONE,
        sample_rate: int = 48_000,
        channels: int = 1,
        muted: bool = False,
    ) -> AudioSource:
        """Publish an audio track.  The room must be open."""
        return AudioSource(
            self._open_room(), name, source=source, sample_rate=sample_rate, channels=channels, muted=muted
        )

    def open_audio(
        self, track_sid: str, *, sample_rate: int = 48_000, channels: int = 1, max_frames: int = 100
    ) -> AudioSink:
        """Listen to an audio track that is attached, resampled and mixed to what is asked for.

        Of the frames (10 ms each) that nobody has polled, the newest ``max_frames`` are kept.
        """
        return AudioSink(
            self._open_room(), track_sid, sample_rate=sample_rate, channels=channels, max_frames=max_frames
        )

    def subscribe(self, track_sid: str, *, wanted: bool = True) -> None:
        """Ask for a track that was published, or decline it; TrackAttached and TrackDetached tell what comes of it."""
        self._open_room().subscribe(track_sid, wanted=wanted)

    def _open_room(self) -> Room:
        if self._room is None or not self._room.open:
            msg = "the room is not open: wait for RoomOpened"
            raise LocalProtocolError(msg)
        return self._room

    # --

    def _open(self, command: OpenLink, now: float) -> None:
        adapter = command.adapter
        if not isinstance(adapter, LiveKitAdapter):
            msg = f"a LiveKit link opens livekit: strings, not {adapter.protocol}:"
            raise LocalProtocolError(msg)
        if self._room is not None and not self._room.over:
            # A session opens its next attempt after the last one has ended; this is for others.
            self._local.append(LinkClosed(link=self._room.ref, reason=CloseReason.CLIENT))
            self._room.abandon()
        try:
            self._room = Room(command.link, self._wake)
        except EngineUnavailable as error:
            self._room = None
            self._local.append(LinkFailed(link=command.link, reason=CloseReason.ENGINE, detail=str(error)))
            self._wake()
        else:
            self._room.connect(command, adapter, rejoin_seconds=self._rejoin_seconds, now=now)

    @staticmethod
    def _publish_microphone(room: Room) -> None:
        if room.open:
            try:
                AudioSource(room, _MICROPHONE, command="PublishMicrophone", muted=True)
            except NativeRefusal as error:
                room.failed("PublishMicrophone", str(error))
