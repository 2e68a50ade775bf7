"""A link to LiveKit rooms, as far as it is the same over the engine and over the SDK: one attempt after the other."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Generic, NamedTuple, Protocol, TypeVar

from dcl_comms_core.adapters.connection_string import LiveKitAdapter
from dcl_comms_core.commands import CloseLink, OpenLink, PublishMicrophone, SendData, SetAttributes, SubscribeTrack
from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.inputs import LinkClosed, LinkFailed, LinkRef
from dcl_comms_core.limits import DEFAULT_LIMITS
from dcl_comms_core.states import CloseReason
from dcl_comms_drivers.livekit.errors import EngineUnavailable
from dcl_comms_drivers.livekit.rejoin import Who
from dcl_comms_drivers.loops.mailbox import Mailbox

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.adapters.url_guard import Place
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

    def connect(
        self, command: OpenLink, adapter: LiveKitAdapter, who: Who, *, rejoin_seconds: float, now: float
    ) -> None:
        """Join, once no given-up connect of ours can come in the way; the answer is LinkOpened or LinkFailed.

        ``adapter``: with the URL to connect to.  ``who``: whom the server takes for us.
        """
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


class Way(Protocol):
    """What judges where a server is before the engine connects to it, and says where that is to connect to."""

    def look(
        self,
        url: str,
        within: Place | None,
        found: Callable[[str], None],
        refused: Callable[[CloseReason, str], None],
    ) -> None:
        """Have one of the two called, once: now, or later and from any thread."""
        ...

    def close(self) -> None:
        """Let go of everything."""
        ...


class _Judged(NamedTuple):
    """What came of a look: the URL to connect to; or none, and why."""

    command: OpenLink
    url: str
    reason: CloseReason = CloseReason.FORBIDDEN
    detail: str = ""


class RoomLink(ABC, Generic[_Room]):
    """The ``Link`` protocol of ``dcl_comms_drivers.loops.host`` over one room after the other.

    ``wake`` is called from any thread when ``drain`` has something to deliver; it must not block and must not raise.
    ``rejoin_seconds``: see Limits.  ``way``: asked before each attempt where it leads; None: where its adapter says.
    """

    name: ClassVar[str]
    """Which link it is, for ``Stats.link``."""

    def __init__(
        self,
        wake: Callable[[], None],
        *,
        rejoin_seconds: float = DEFAULT_LIMITS.rejoin_seconds,
        way: Way | None = None,
    ) -> None:
        self.wake = wake
        self._way = way
        self._looking: LinkRef | None = None
        """The attempt whose way is being looked for."""
        self._judged: Mailbox[_Judged] = Mailbox(wake, _forget)
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
        if command.link == self._looking:
            if isinstance(command, CloseLink):
                self._looking = None
                self._local.append(LinkClosed(link=command.link, reason=CloseReason.CLIENT))
                self.wake()
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
        self._judged.begin()
        while (judged := self._judged.get()) is not None:
            self._arrive(judged, now)
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
        self._looking = None
        self._judged.close()
        self._local.clear()
        if self._way is not None:
            self._way.close()
        if room is not None:
            room.abandon()

    def measure(self, then: Callable[[float | None], None]) -> None:
        """Ask how many seconds it is to the server and back; None: this link can't tell."""
        then(None)

    def hasten(self) -> None:
        """Nothing: the engine acknowledges at once."""

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
            self.room = None
        self._looking = command.link
        if self._way is None:
            self._arrive(_Judged(command, adapter.url), now)
            return

        def found(url: str) -> None:
            self._judged.put(_Judged(command, url))

        def refused(reason: CloseReason, detail: str) -> None:
            self._judged.put(_Judged(command, "", reason, detail))

        self._way.look(adapter.url, command.within, found, refused)
        # Where nothing had to be waited for it is begun at once.
        while (judged := self._judged.get()) is not None:
            self._arrive(judged, now)

    def _arrive(self, judged: _Judged, now: float) -> None:
        command, url, reason, detail = judged
        if command.link != self._looking:
            return
        self._looking = None
        adapter = command.adapter
        assert isinstance(adapter, LiveKitAdapter)  # noqa: S101 - its way was looked for
        if not url:
            self._local.append(LinkFailed(link=command.link, reason=reason, detail=detail))
            self.wake()
            return
        try:
            self.room = self.new_room(command.link)
        except EngineUnavailable as error:
            self.room = None
            self._local.append(LinkFailed(link=command.link, reason=CloseReason.ENGINE, detail=str(error)))
            self.wake()
        else:
            self.room.connect(
                command, replace(adapter, url=url), Who.of(adapter), rejoin_seconds=self._rejoin_seconds, now=now
            )


def _forget(_: object) -> None:
    """What becomes of a way that nobody goes any more."""
