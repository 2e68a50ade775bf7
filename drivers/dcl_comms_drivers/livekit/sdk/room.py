"""One attempt to be in one room over the SDK, from the connect to the last event.

Theory of operation.  The link calls from the thread of its loop; each call is passed on to the SDK's thread, where the
state lives, and what comes of it is posted to a mailbox that ``drain`` empties in the loop's thread.

    HELD --> CONNECTING --> OPEN --close--> LEAVING --> OVER

A connect can't be called off: when the attempt is over before it has succeeded, it goes on, and the room is left then.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

from livekit import rtc

from dcl_comms_core.inputs import (
    CommandCompleted,
    CommandFailed,
    Input,
    LinkClosed,
    LinkFailed,
    LinkOpened,
    LinkReconnected,
    LinkReconnecting,
    LinkRef,
    LinkSilent,
    SendAcknowledged,
)
from dcl_comms_core.states import CloseReason
from dcl_comms_drivers.livekit.errors import redact
from dcl_comms_drivers.livekit.intake import OBJECTS, Intake
from dcl_comms_drivers.livekit.reasons import connect_failure, disconnect_reason
from dcl_comms_drivers.livekit.rejoin import GHOSTS, SETTLE_SECONDS, Who
from dcl_comms_drivers.livekit.sdk.drain import counters, until_sent
from dcl_comms_drivers.livekit.sdk.members import SdkMembers
from dcl_comms_drivers.livekit.sdk.ourselves import SdkOurselves, known_sid, permissions_of_participant
from dcl_comms_drivers.livekit.sdk.thread import SdkThread
from dcl_comms_drivers.loops.mailbox import Mailbox

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    from dcl_comms_core.adapters.connection_string import LiveKitAdapter
    from dcl_comms_core.commands import OpenLink, SendData
    from dcl_comms_drivers.loops.host import Receiver

__all__ = ["SdkRoom"]

_LEAVE_SECONDS: Final = 3.0
_CONFIRM_SECONDS: Final = 1.0


class _Phase(Enum):
    HELD = "held"
    CONNECTING = "connecting"
    OPEN = "open"
    LEAVING = "leaving"
    OVER = "over"


@dataclass(slots=True)
class _Packet:
    """A packet that came in."""

    sender: str | None
    data: bytes
    reliable: bool
    topic: str

    @property
    def size(self) -> int:
        """What it takes while it waits."""
        return OBJECTS + len(self.data) + len(self.topic)


@dataclass(slots=True)
class _Callback:
    """Something to do in the thread of the loop."""

    call: Callable[[], None]


@dataclass(slots=True)
class _Crash:
    """A bug of ours, raised where the application sees it."""

    error: BaseException


_JOINING: Final = frozenset({_Phase.HELD, _Phase.CONNECTING})

_Item = Input | _Packet | _Callback | _Crash


class SdkRoom:
    """One generation of a link."""

    def __init__(self, ref: LinkRef, wake: Callable[[], None], inbox_bytes: int, turn_seconds: float) -> None:
        self.ref = ref
        self.thread = SdkThread.get()
        self.open = False
        """Whether tracks may be published and opened."""
        self.over = False
        """Whether nothing more will come."""
        self.on_over: list[Callable[[], None]] = []
        """Called once, in the loop's thread, when the room is over: what hangs on it ends with it."""
        self._mailbox: Mailbox[_Item] = Mailbox(wake, _unread)
        self._intake = Intake(inbox_bytes)
        self._turn_seconds = turn_seconds
        # From here on for the SDK's thread only.
        self._phase = _Phase.HELD
        self._room: rtc.Room | None = None
        self.members = SdkMembers(ref)
        self.ourselves = SdkOurselves(self)
        self._callbacks: dict[Any, Callable[..., None]] = {
            **{event: partial(self._on_news, reader) for event, reader in self.members.readers.items()},
            "data_received": self._on_data,
            "reconnecting": self._reconnecting,
            "reconnected": partial(self._repairing, LinkReconnected(link=ref)),
            "disconnected": self._on_disconnected,
            "participant_attributes_changed": self._on_attributes,
            **self.ourselves.callbacks,
        }
        self._attributes_changed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._sending: set[asyncio.Task[None]] = set()
        self._sent_reliable = False
        self._reliable_bytes = 0
        """Of reliable packets that were acknowledged since the transport was made."""
        self._settled_at = 0.0
        self._token = ""
        self._who = Who("", "", "")
        self._ghost_gone: Callable[[], None] = _nothing

    # -- commands, in the thread of the loop

    def connect(
        self, command: OpenLink, adapter: LiveKitAdapter, who: Who, *, rejoin_seconds: float, now: float
    ) -> None:
        """Join, once no given-up connect of ours can come in the way; the answer is LinkOpened or LinkFailed."""
        del now  # waiting is done by the clock of the SDK's thread
        self._token = adapter.token.reveal()
        self._who = who
        join = partial(self._join, adapter.url, auto_subscribe=command.auto_subscribe)
        seconds = GHOSTS.wait(self._who, partial(self.in_thread, join), rejoin_seconds)
        self._command(partial(self.thread.after, seconds, join) if seconds else join)

    def send(self, command: SendData) -> None:
        """Send one packet; the answer is SendAcknowledged."""
        if command.to is not None and not command.to:
            # In LiveKit's own interface an empty list of addressees means everybody.
            self.post(SendAcknowledged(link=self.ref, token=command.token))
            return
        self._command(partial(self._send, command))

    def set_attributes(self, attributes: tuple[tuple[str, str], ...]) -> None:
        """Set attributes of our own participant; CommandFailed when the server does not confirm them."""
        self._command(partial(self.run, self._set_attributes, dict(attributes)))

    def subscribe(self, track_sid: str, *, wanted: bool) -> None:
        """Ask for a published track, or decline it.  A track that is gone by now is no error."""
        self._command(partial(self._subscribe, track_sid, wanted=wanted))

    def close(self, drain: float, now: float) -> None:
        """Leave, after up to ``drain`` seconds in which reliable data may go out; the answer is LinkClosed."""
        del now
        self._command(partial(self._close, drain))

    def abandon(self) -> None:
        """Let go of everything; nothing is delivered any more."""
        self._ended()
        self._mailbox.close()
        self.in_thread(self._abandon)

    def _command(self, call: Callable[[], object]) -> None:
        self.thread.check_fork()
        self.in_thread(call)

    # -- delivery, in the thread of the loop

    def drain(self, session: Receiver, *, now: float, limit: int) -> bool:
        """Deliver up to ``limit`` inputs; True when more are waiting."""
        mailbox = self._mailbox
        mailbox.begin()
        in_time = time.monotonic() + self._turn_seconds
        while limit > 0 and (item := mailbox.get()) is not None:
            limit -= 1
            if isinstance(item, _Packet):
                self._intake.took(item.size)
                session.receive_data(item.sender, item.data, reliable=item.reliable, topic=item.topic, now=now)
            elif isinstance(item, _Callback):
                item.call()
            elif isinstance(item, _Crash):
                raise item.error
            else:
                if isinstance(item, LinkOpened):
                    self.open = True
                elif isinstance(item, LinkClosed | LinkFailed):
                    self._ended()
                session.receive(item, now=now)
            if time.monotonic() >= in_time:
                break
        for inp in self._intake.news(self.ref):
            if not self.over:
                session.receive(inp, now=now)
        return len(mailbox) > 0

    def deadline(self) -> float | None:
        """Never: the SDK's thread wakes us."""
        return None

    def _ended(self) -> None:
        self.open = False
        self.over = True
        for callback in self.on_over:
            callback()
        self.on_over.clear()

    # -- between the threads

    def post(self, inp: Input) -> None:
        """Deliver an input; from any thread."""
        self._mailbox.put(inp)

    def in_loop(self, callback: Callable[[], None]) -> None:
        """Call back in the thread of the loop, unless the room is abandoned by then.  From any thread."""
        self._mailbox.put(_Callback(callback))

    def in_thread(self, callback: Callable[[], object]) -> None:
        """Call back in the SDK's thread.  From any thread."""
        self.thread.call(callback)

    # -- in the SDK's thread

    def run(self, work: Callable[..., Coroutine[Any, Any, None]], *args: Any) -> asyncio.Task[None] | None:
        """Do something in the open room; it is cancelled when the room ends.  None: the room is not open."""
        if self._phase is not _Phase.OPEN:
            return None
        task = self.thread.spawn(work(*args), self._crashed)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    @property
    def staying(self) -> bool:
        """Whether we are in the room and not leaving it."""
        return self._phase is _Phase.OPEN

    @property
    def room(self) -> rtc.Room:
        """The SDK's room."""
        assert self._room is not None  # noqa: S101 - whoever asks runs in an open room
        return self._room

    def failed(self, what: str, error: object) -> None:
        """Deliver that a command was not carried out."""
        self.post(CommandFailed(link=self.ref, what=what, detail=self.redacted(error)))

    def completed(self, what: str) -> None:
        """Deliver that a command was carried out."""
        self.post(CommandCompleted(link=self.ref, what=what))

    def redacted(self, error: object) -> str:
        """The SDK's words, safe to show; never empty."""
        return redact(str(error), self._token) or type(error).__name__

    def _join(self, url: str, *, auto_subscribe: bool) -> None:
        if self._phase is _Phase.HELD:
            self._phase = _Phase.CONNECTING
            self.thread.spawn(self._connected(url, rtc.RoomOptions(auto_subscribe=auto_subscribe)), self._crashed)

    async def _connected(self, url: str, options: rtc.RoomOptions) -> None:
        room = self._room = rtc.Room()
        for event, callback in self._callbacks.items():
            cast("Any", room).on(event, callback)
        try:
            await room.connect(url, self._token, options)
        except rtc.ConnectError as error:
            self._ghost_gone()
            if self._phase is _Phase.CONNECTING:
                self._forget_room()
                reason, detail = connect_failure(error.message, self._token)
                self.post(LinkFailed(link=self.ref, reason=reason, detail=detail))
            return
        self.thread.rooms.add(room)
        self._settled_at = self.thread.settled_at = time.monotonic() + SETTLE_SECONDS
        if self._phase is not _Phase.CONNECTING:
            await self._left(room)
            self._ghost_gone()
            return
        self._phase = _Phase.OPEN
        me = room.local_participant
        people, tracks = self.members.begin(me, room.remote_participants.values())
        self.post(
            LinkOpened(
                link=self.ref,
                identity=me.identity,
                room=room.name,
                sid=known_sid(room),
                participants=tuple(people),
                permissions=permissions_of_participant(me),
                metadata=room.metadata,
            )
        )
        for track in tracks:
            self.post(track)

    def _send(self, command: SendData) -> None:
        task = self.run(self.publish, command)
        if task is not None:
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)
            self._sent_reliable |= command.reliable

    async def publish(self, command: SendData) -> None:
        """Give one packet to the SDK."""
        error = ""
        try:
            await self.room.local_participant.publish_data(
                command.data,
                reliable=command.reliable,
                destination_identities=list(command.to or ()),
                topic=command.topic,
            )
        except Exception as refusal:  # noqa: BLE001 - the SDK's errors are not exported and have no base in common
            error = self.redacted(refusal)
        else:
            self._reliable_bytes += len(command.data) if command.reliable else 0
        self.post(SendAcknowledged(link=self.ref, token=command.token, error=error))

    async def _set_attributes(self, attributes: dict[str, str]) -> None:
        self.members.asked.update(attributes)
        me = self.room.local_participant
        self._attributes_changed.clear()
        await me.set_attributes(attributes)
        # The SDK says nothing of a refusal; what the server accepted comes back as an event, before or after this.
        try:
            async with asyncio.timeout(_CONFIRM_SECONDS):
                while not attributes.items() <= me.attributes.items():
                    await self._attributes_changed.wait()
                    self._attributes_changed.clear()
        except TimeoutError:
            self.failed("SetAttributes", "the server did not confirm them")
        else:
            self.completed("SetAttributes")

    async def measure(self, then: Callable[[float | None], None]) -> None:
        """Answer with the seconds that it is to the server and back."""
        try:
            round_trip = (await counters(self.room)).round_trip
        except RuntimeError:
            round_trip = None
        self.in_loop(partial(then, round_trip))

    def _subscribe(self, sid: str, *, wanted: bool) -> None:
        publication = self.members.publication(sid)
        if publication is not None and self._phase is _Phase.OPEN:
            publication.set_subscribed(wanted)

    # -- events of the SDK

    def _on_news(self, reader: Callable[..., Iterable[Input]], *args: Any) -> None:
        for inp in reader(*args):
            self.post(inp)

    def _on_attributes(self, *args: Any) -> None:
        self._attributes_changed.set()
        self._on_news(self.members.readers["participant_attributes_changed"], *args)

    def _reconnecting(self) -> None:
        self._repairing(LinkReconnecting(link=self.ref))
        self.run(self._tell_silence)

    async def _tell_silence(self) -> None:
        try:
            silent = (await counters(self.room)).silent
        except RuntimeError:
            return
        if silent is not None:
            self.post(LinkSilent(link=self.ref, seconds=silent))

    def _repairing(self, inp: Input) -> None:
        # A new transport counts from nothing.
        self._reliable_bytes = 0
        self._settled_at = self.thread.settled_at = time.monotonic() + SETTLE_SECONDS
        self.post(inp)

    def _on_data(self, packet: rtc.DataPacket) -> None:
        # Who is not announced yet has no participant; nor has a server.
        sender = packet.participant.identity if packet.participant is not None else None
        reliable = packet.kind == rtc.DataPacketKind.KIND_RELIABLE
        item = _Packet(sender, packet.data, reliable, packet.topic or "")
        if self._intake.put(item.size, losable=True):
            self._mailbox.put(item)

    def _on_disconnected(self, reason: rtc.DisconnectReason.ValueType) -> None:
        if self._phase is _Phase.OPEN:
            known = reason in rtc.DisconnectReason.values()
            stranded = self.thread.keep(self.room)
            self._finish(disconnect_reason(rtc.DisconnectReason.Name(reason) if known else ""), stranded)

    # -- leaving

    def _close(self, drain: float) -> None:
        if self._phase in _JOINING:
            self._give_up()
            self.post(LinkClosed(link=self.ref, reason=CloseReason.CLIENT))
        elif self._phase is _Phase.OPEN:
            self._phase = _Phase.LEAVING
            self.thread.spawn(self._depart(drain if self._sent_reliable else 0.0), self._crashed)

    async def _depart(self, drain: float) -> None:
        room = self.room
        if drain > 0:
            try:
                async with asyncio.timeout(drain):
                    if self._sending:
                        await asyncio.wait(self._sending)
                    await until_sent(room, self._reliable_bytes)
            except TimeoutError:
                # As long as we were told to wait.
                pass
        leaving = asyncio.create_task(self._left(room))
        await asyncio.wait({leaving}, timeout=_LEAVE_SECONDS)
        self._finish(CloseReason.CLIENT)
        await leaving

    async def _left(self, room: rtc.Room) -> None:
        try:
            await asyncio.sleep(self._settled_at - time.monotonic())
            await room.disconnect()
        finally:
            self.thread.rooms.discard(room)

    def _give_up(self) -> None:
        if self._phase is _Phase.CONNECTING:
            self._ghost_gone = GHOSTS.appear(self._who)
        self._forget_room()

    def _abandon(self) -> None:
        if self._phase in _JOINING:
            self._give_up()
        elif self._phase is _Phase.OPEN:
            self._phase = _Phase.LEAVING
            self.thread.spawn(self._depart(0.0), self._crashed)

    def _finish(self, reason: CloseReason, stranded: int = 0) -> None:
        if self._phase is _Phase.OVER:
            return
        self.thread.rooms.discard(self.room)
        self._forget_room()
        for task in self._tasks:
            task.cancel()
        self.post(LinkClosed(link=self.ref, reason=reason, stranded=stranded))

    def _forget_room(self) -> None:
        """The room knows us through its callbacks and we know it; neither should keep the other."""
        self._phase = _Phase.OVER
        room, self._room = self._room, None
        if room is not None:
            for event, callback in self._callbacks.items():
                cast("Any", room).off(event, callback)

    def _crashed(self, error: BaseException) -> None:
        self._mailbox.put(_Crash(error))


def _unread(_: object) -> None:
    """What becomes of news of a room that was abandoned."""


def _nothing() -> None:
    """What there is to do when a connect ends that nobody gave up."""
