"""A link to LiveKit rooms, as far as it is the same over the engine and over the SDK: one attempt after the other."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from typing import TYPE_CHECKING, ClassVar, Generic, Protocol, TypeVar

from dcl_comms_core.adapters.connection_string import LiveKitAdapter
from dcl_comms_core.commands import CloseLink, OpenLink, PublishMicrophone, SendData, SetAttributes, SubscribeTrack
from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.inputs import LinkClosed, LinkFailed, LinkRef
from dcl_comms_core.limits import DEFAULT_LIMITS
from dcl_comms_core.states import CloseReason
from dcl_comms_drivers.livekit.errors import EngineUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.commands import Command
    from dcl_comms_core.inputs import Input
    from dcl_comms_drivers.loops.host import Receiver

__all__ = ["Attempt", "RoomLink"]


class Attempt(Protocol):
    """One attempt to be in one room: one generation of a link."""

    ref: LinkRef

    @property
    def open(self) -> bool:
        """Whether tracks may be published and opened."""
        ...

    @property
    def over(self) -> bool:
        """Whether nothing more will come, except what ``drain`` has not yet delivered."""
        ...

    def connect(self, command: OpenLink, adapter: LiveKitAdapter, *, rejoin_seconds: float, now: float) -> None:
        """Join, once no given-up connect of ours can come in the way; the answer is LinkOpened or LinkFailed."""
        ...

    def send(self, command: SendData) -> None:
        """Send one packet; the answer is SendAcknowledged."""
        ...

    def set_attributes(self, attributes: tuple[tuple[str, str], ...]) -> None:
        """Set attributes of our own participant; the answer is CommandCompleted or CommandFailed."""
        ...

    def subscribe(self, track_sid: str, *, wanted: bool) -> None:
        """Ask for a published track, or decline it.  A track that is gone by now is no error."""
        ...

    def close(self, drain: float, now: float) -> None:
        """Leave, after up to ``drain`` seconds in which reliable data may go out; the answer is LinkClosed."""
        ...

    def drain(self, session: Receiver, *, now: float, limit: int) -> bool:
        """Deliver up to ``limit`` inputs; True when more are waiting."""
        ...

    def deadline(self) -> float | None:
        """When ``drain`` must be called for the sake of time."""
        ...

    def abandon(self) -> None:
        """Let go of everything; nothing is delivered any more."""
        ...


_Room = TypeVar("_Room", bound=Attempt)


class RoomLink(ABC, Generic[_Room]):
    """The ``Link`` protocol of ``dcl_comms_drivers.loops.host`` over one room after the other.

    ``wake`` is called from any thread when ``drain`` has something to deliver; it must not block and must not raise.
    ``rejoin_seconds``: see Limits.
    """

    name: ClassVar[str]
    """Which link it is, for ``Stats.link``."""

    def __init__(self, wake: Callable[[], None], *, rejoin_seconds: float = DEFAULT_LIMITS.rejoin_seconds) -> None:
        self.wake = wake
        self._rejoin_seconds = rejoin_seconds
        self.room: _Room | None = None
        self._local: deque[Input] = deque()

    @abstractmethod
    def new_room(self, ref: LinkRef) -> _Room:
        """Make an attempt; EngineUnavailable when none can be made any more."""

    @abstractmethod
    def publish_microphone(self, room: _Room) -> None:
        """Publish a silent, muted microphone track; the answer is CommandCompleted or CommandFailed."""

    def execute(self, command: Command, *, now: float) -> None:
        """Carry a command out; what comes of it arrives through ``drain``."""
        if isinstance(command, OpenLink):
            self._open(command, now)
            return
        room = self.room
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
                self.publish_microphone(room)
            case SubscribeTrack():
                room.subscribe(command.sid, wanted=command.wanted)
            case _:
                msg = f"{type(command).__name__} is for sockets and HTTP: give it to a NetLink"
                raise LocalProtocolError(msg)

    def drain(self, session: Receiver, *, now: float, limit: int) -> bool:
        """Deliver up to ``limit`` inputs.  True: more are waiting."""
        while self._local and limit > 0:
            limit -= 1
            session.receive(self._local.popleft(), now=now)
        room = self.room
        if room is None:
            return bool(self._local)
        return room.drain(session, now=now, limit=limit) or bool(self._local)

    def deadline(self) -> float | None:
        """When ``drain`` must be called although nothing woke us; None: not needed."""
        return None if self.room is None else self.room.deadline()

    def abandon(self) -> None:
        """Let go of everything now; a room that we are in, or still get into, is left in the background."""
        room, self.room = self.room, None
        self._local.clear()
        if room is not None:
            room.abandon()

    def measure(self, then: Callable[[float | None], None]) -> None:
        """Ask how many seconds it is to the server and back; None: this link can't tell."""
        then(None)

    def subscribe(self, track_sid: str, *, wanted: bool = True) -> None:
        """Ask for a track that was published, or decline it; TrackAttached and TrackDetached tell what comes of it."""
        self.open_room().subscribe(track_sid, wanted=wanted)

    def open_room(self) -> _Room:
        """The room that we are in.  LocalProtocolError: it is not open."""
        if self.room is None or not self.room.open:
            msg = "the room is not open: wait for RoomOpened"
            raise LocalProtocolError(msg)
        return self.room

    def _open(self, command: OpenLink, now: float) -> None:
        adapter = command.adapter
        if not isinstance(adapter, LiveKitAdapter):
            msg = f"a LiveKit link opens livekit: strings, not {adapter.protocol}:"
            raise LocalProtocolError(msg)
        if self.room is not None and not self.room.over:
            # A session opens its next attempt after the last one has ended; this is for others.
            self._local.append(LinkClosed(link=self.room.ref, reason=CloseReason.CLIENT))
            self.room.abandon()
        try:
            self.room = self.new_room(command.link)
        except EngineUnavailable as error:
            self.room = None
            self._local.append(LinkFailed(link=command.link, reason=CloseReason.ENGINE, detail=str(error)))
            self.wake()
        else:
            self.room.connect(command, adapter, rejoin_seconds=self._rejoin_seconds, now=now)
