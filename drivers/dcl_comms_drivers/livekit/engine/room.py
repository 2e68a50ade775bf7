"""One attempt to be in one room, from the connect request to the last event.

Theory of operation.  The engine's threads only put events into the mailbox or, with the native callback, into the
queue; everything else here runs in the thread of the loop that owns the link, in ``execute`` and ``drain``.

The mailbox has the answers to requests, and with ctypes' callback everything.  The queue has the packets and other
events of the room, in their order, and the acknowledgements.

    HELD --> CONNECTING --result--> OPEN --close--> DRAINING --> SETTLING --> LEAVING --eos and callback--> OVER

An error, a cancelled connect, the end of the room by the server, and a panic go to OVER directly, once: at that moment
each handle is given back and the mailbox is closed, so that what comes later is given back unread.
"""

from __future__ import annotations

import time
from collections import deque
from contextlib import suppress
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Final

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
from dcl_comms_drivers.livekit.engine import requests
from dcl_comms_drivers.livekit.engine.drain import Drain
from dcl_comms_drivers.livekit.engine.engine import ID_BITS, Engine, NativeRefusal
from dcl_comms_drivers.livekit.engine.ffi import (
    KEEPS_TRACKS,
    OWNING_ROOM_EVENTS,
    FfiEvent,
    FfiRequest,
    copy_memory,
    parse_event,
    participant_pb2,
    room_pb2,
)
from dcl_comms_drivers.livekit.engine.measuring import count
from dcl_comms_drivers.livekit.engine.members import Members
from dcl_comms_drivers.livekit.engine.ourselves import Ourselves
from dcl_comms_drivers.livekit.engine.readings import DTMF, FOREIGN, LOSABLE, REPEATED, WHATS
from dcl_comms_drivers.livekit.engine.teardown import leave_late_room, leave_room
from dcl_comms_drivers.livekit.errors import redact
from dcl_comms_drivers.livekit.intake import OBJECTS, Intake
from dcl_comms_drivers.livekit.permissions import permissions_of
from dcl_comms_drivers.livekit.reasons import connect_failure, disconnect_reason
from dcl_comms_drivers.livekit.rejoin import GHOSTS, SETTLE_SECONDS, Who
from dcl_comms_drivers.loops.mailbox import Mailbox

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.adapters.connection_string import LiveKitAdapter
    from dcl_comms_core.commands import OpenLink, SendData
    from dcl_comms_drivers.livekit._native._events import Packet, Queue
    from dcl_comms_drivers.livekit.counters import Counters
    from dcl_comms_drivers.loops.host import Receiver

__all__ = ["Room"]

_LEAVE_SECONDS: Final = 3.0
_SEND_BUFFER: Final = 65_536
"""Bytes.  The engine's own 2 MiB are seconds of delay on a slow line, and are lost with the process.  docs/engine.md"""
_SLICE: Final = 32
"""How much is taken from the native queue at once: what is taken does not count there any more."""
_TOKEN: Final = (1 << ID_BITS) - 1

_STATE_INPUTS: Final[dict[str, type[LinkReconnecting | LinkReconnected]]] = {
    "reconnecting": LinkReconnecting,
    "reconnected": LinkReconnected,
}


class _Phase(Enum):
    HELD = "held"
    """An earlier connect of ours has first to be left; see ``rejoin``."""
    CONNECTING = "connecting"
    OPEN = "open"
    DRAINING = "draining"
    SETTLING = "settling"
    """Too soon to leave; see ``rejoin``."""
    LEAVING = "leaving"
    OVER = "over"


_JOINING: Final = frozenset({_Phase.HELD, _Phase.CONNECTING})


class Room:
    """One generation of a link."""

    def __init__(
        self,
        ref: LinkRef,
        wake: Callable[[], None],
        wake_fd: int | None,
        inbox_bytes: int,
        turn_seconds: float,
    ) -> None:
        self.ref = ref
        self.engine = Engine.get()
        self.handle = 0
        self.me = 0
        """The engine's handle of the local participant."""
        self.ourselves = Ourselves(ref)
        self.members = Members(ref, self.engine, self.ourselves.tracks)
        self.on_over: list[Callable[[], None]] = []
        """Called once, when the room is over: what hangs on it ends with it."""
        self.keeps_tracks = False
        """Whether the engine keeps what was published here, now that the room is over."""
        self.stranded = 0
        """How many tracks of ours it keeps."""
        self._phase = _Phase.HELD
        self._connect: Callable[[], None] = _nothing
        self._who: Who | None = None
        self._ghost_gone: Callable[[], None] = _nothing
        self._wake = wake
        self._mailbox: Mailbox[FfiEvent] = Mailbox(wake, self._discard)
        self._callbacks: Mailbox[Callable[[], None]] = Mailbox(wake, _forget)
        self._local: deque[Input] = deque()
        self._continuations: dict[int, Callable[[FfiEvent], None]] = {}
        self._queue = self.engine.open_queue(wake, wake_fd, inbox_bytes)
        self._left: list[Packet | int | bytes] = []
        """What was taken from the queue, and had no time in its turn."""
        self._turn_seconds = turn_seconds
        self._number = self.engine.next_number() if self._queue is None else self._queue.number
        self._intake = Intake(inbox_bytes)
        """With ctypes' callback; with the native one the queue counts what waits in it."""
        self._due: float | None = None
        self._drain: Drain | None = None
        self._sent_reliable = False
        self._left_for = {"eos", "disconnect"}
        self._settled_at = 0.0
        self._reason: CloseReason | None = None
        self._identity = ""
        self._token = ""
        self.now = 0.0
        """The time of the latest call."""
        self.acknowledged_at = 0.0
        """When the engine last acknowledged a packet."""

    @property
    def open(self) -> bool:
        """Whether tracks may be published and opened."""
        return self._phase is _Phase.OPEN

    @property
    def over(self) -> bool:
        """Whether nothing more will come, except what ``drain`` has not yet delivered."""
        return self._phase is _Phase.OVER

    # -- commands

    def connect(
        self, command: OpenLink, adapter: LiveKitAdapter, who: Who, *, rejoin_seconds: float, now: float
    ) -> None:
        """Join, once no given-up connect of ours can come in the way; the answer is LinkOpened or LinkFailed."""
        self._token = adapter.token.reveal()
        self._who = who
        self._connect = partial(self._join, command, adapter)
        seconds = GHOSTS.wait(self._who, partial(self.in_loop, self._release), rejoin_seconds)
        if seconds:
            self._due = now + seconds
        else:
            self._release()

    def _release(self) -> None:
        if self._phase is _Phase.HELD:
            self._phase = _Phase.CONNECTING
            self._due = None
            self._connect()

    def _join(self, command: OpenLink, adapter: LiveKitAdapter) -> None:
        async_id = self.engine.next_id()
        request = requests.connect(adapter, async_id, auto_subscribe=command.auto_subscribe)
        try:
            self.call(request, async_id, self._on_connect)
        except NativeRefusal as error:
            self._fail(CloseReason.ENGINE, str(error))

    def send(self, command: SendData) -> None:
        """Give one packet to the engine; the answer is SendAcknowledged."""
        if self._phase is not _Phase.OPEN:
            return
        if command.to is not None and not command.to:
            # In LiveKit's own interface an empty list of addressees means everybody.
            self.post(SendAcknowledged(link=self.ref, token=command.token))
            return
        self._sent_reliable |= command.reliable
        try:
            self._publish(command)
        except NativeRefusal as error:
            self.post(SendAcknowledged(link=self.ref, token=command.token, error=str(error)))

    def _publish(self, command: SendData) -> None:
        queue, to = self._queue, command.to or ()
        if queue is not None:
            self.engine.require()
            if not queue.publish(self.me, command.data, to, command.topic, command.reliable, command.token):
                msg = "the LiveKit engine refused a packet"
                raise NativeRefusal(msg)
            return
        async_id = self._number << ID_BITS | command.token
        request = requests.publish_data(self.me, command.data, to, command.topic, async_id, reliable=command.reliable)
        self.engine.call(request, async_id, self._mailbox.put)

    def set_attributes(self, attributes: tuple[tuple[str, str], ...]) -> None:
        """Set attributes of our own participant; CommandFailed when that is not allowed."""
        if self._phase is not _Phase.OPEN:
            return

        def answered(event: FfiEvent) -> None:
            if event.set_local_attributes.error:
                self.failed("SetAttributes", event.set_local_attributes.error)
            else:
                self.completed("SetAttributes")

        self.members.asked.update(attributes)
        async_id = self.engine.next_id()
        try:
            self.call(requests.set_attributes(self.me, attributes, async_id), async_id, answered)
        except NativeRefusal as error:
            self.failed("SetAttributes", str(error))

    def subscribe(self, track_sid: str, *, wanted: bool) -> None:
        """Ask for a published track, or decline it.  A track that is gone by now is no error."""
        handle = self.members.publication_handle(track_sid)
        if handle is not None:
            with suppress(NativeRefusal):
                self.engine.send(requests.subscribe(handle, wanted=wanted))

    def close(self, drain: float, now: float) -> None:
        """Leave, after up to ``drain`` seconds in which reliable data may go out; the answer is LinkClosed."""
        self.now = now
        if self._phase in _JOINING:
            self._finish(CloseReason.CLIENT, "")
        elif self._phase is _Phase.OPEN and drain > 0 and self._sent_reliable:
            self._phase = _Phase.DRAINING
            self._drain = Drain(self, self._identity, now + drain, self._leave)
            self._drain.start()
        elif self._phase is _Phase.OPEN:
            self._leave()

    def abandon(self) -> None:
        """Let go of everything; nothing is delivered any more."""
        self._finish(CloseReason.CLIENT, "")
        self._local.clear()

    # -- delivery

    def drain(self, session: Receiver, *, now: float, limit: int) -> bool:
        """Deliver up to ``limit`` inputs; True when more are waiting."""
        self.now = now
        mailbox, queue = self._mailbox, self._queue
        in_time = time.monotonic() + self._turn_seconds
        mailbox.begin()
        self._callbacks.begin()
        while (callback := self._callbacks.get()) is not None:
            callback()
        limit = self._read_mail(session, limit, in_time)
        more = bool(self._local) or len(mailbox) > 0
        if queue is not None and limit > 0:
            more |= self._take(queue, session, limit, in_time)
            self._intake.dropped(queue.take_dropped())
            for what, sender, count, size in queue.take_foreign():
                self._intake.foreign(WHATS[what], sender, size, count)
        for inp in self._intake.news(self.ref):
            if not self.over:
                session.receive(inp, now=now)
        self._handle_timeout(now)
        return more or bool(self._local)

    def _read_mail(self, session: Receiver, limit: int, in_time: float) -> int:
        """Deliver what we posted ourselves, and what is in the mailbox; returns what is left of the limit."""
        while limit > 0:
            limit -= 1
            if self._local:
                session.receive(self._local.popleft(), now=self.now)
                continue
            event = self._mailbox.get()
            if event is None:
                break
            if self._queue is None and event.WhichOneof("message") == "room_event":
                self._intake.took(_size_of(event))
            self._on_event(event, session)
            if time.monotonic() >= in_time:
                break
        return limit

    def deadline(self) -> float | None:
        """When ``drain`` must be called for the sake of time."""
        return self._due if self._drain is None else self._drain.deadline()

    def _handle_timeout(self, now: float) -> None:
        if self._drain is not None:
            self._drain.handle_timeout(now)
        elif self._due is not None and now >= self._due:
            if self._phase is _Phase.HELD:
                self._release()
            elif self._phase is _Phase.SETTLING:
                self._leave()
            else:
                self._finish(CloseReason.CLIENT, "")

    def post(self, inp: Input) -> None:
        """Deliver an input that no event of the engine stands for."""
        self._local.append(inp)
        self._wake()

    def failed(self, what: str, detail: str) -> None:
        """Deliver that a command was not carried out."""
        self.post(CommandFailed(link=self.ref, what=what, detail=redact(detail, self._token)))

    def completed(self, what: str) -> None:
        """Deliver that a command was carried out."""
        self.post(CommandCompleted(link=self.ref, what=what))

    def in_loop(self, callback: Callable[[], None]) -> None:
        """Call back in the thread of our loop, unless the room is over by then.  From any thread."""
        self._callbacks.put(callback)

    def call(
        self, request: FfiRequest, async_id: int, then: Callable[[FfiEvent], None], *, keep: object = None
    ) -> None:
        """Send a request whose answer goes to ``then``, in the thread of our loop.

        ``keep`` is kept alive until the engine answers, even when the room is over by then.
        """
        self._continuations[async_id] = then
        put = self._mailbox.put
        try:
            self.engine.call(request, async_id, put if keep is None else partial(_put_keeping, put, keep))
        except NativeRefusal:
            del self._continuations[async_id]
            raise

    # -- events of the engine, in the thread of our loop

    def _take(self, queue: Queue, session: Receiver, limit: int, in_time: float) -> bool:
        """Deliver what waits there.  True: more may be waiting."""
        while limit > 0:
            items = self._left or queue.take(min(limit, _SLICE))
            if not items:
                return False
            done = self._take_some(items, session, in_time)
            self._left = items[done:]
            if self._left or time.monotonic() >= in_time:
                return True
            limit -= done
        return True

    def _take_some(self, items: list[Packet | int | bytes], session: Receiver, in_time: float) -> int:
        """Deliver these, as far as there is time; returns how many."""
        now = self.now
        acknowledged: list[int] = []
        for done, item in enumerate(items, 1):
            if isinstance(item, int):
                acknowledged.append(item)
            elif isinstance(item, bytes):
                self._acknowledge(acknowledged, session)
                acknowledged.clear()
                event = parse_event(item)
                if self.over:
                    self.engine.discard(event)
                else:
                    self._on_event(event, session)
                if time.monotonic() >= in_time:
                    return done
            elif not self.over:
                sender, data, reliable, topic = item
                session.receive_data(sender, data, reliable=reliable, topic=topic, now=now)
        self._acknowledge(acknowledged, session)
        return len(items)

    def _acknowledge(self, tokens: list[int], session: Receiver) -> None:
        if tokens and not self.over:
            self.acknowledged_at = self.now
            session.receive_acknowledged(tokens, now=self.now)

    def _on_event(self, event: FfiEvent, session: Receiver) -> None:
        kind = event.WhichOneof("message")
        if kind == "room_event":
            self._on_room_event(event.room_event, session)
        elif kind == "publish_data" and event.publish_data.async_id >> ID_BITS == self._number:
            answer = event.publish_data
            self.acknowledged_at = self.now
            token = answer.async_id & _TOKEN
            error = redact(answer.error, self._token) if answer.error else ""
            session.receive(SendAcknowledged(link=self.ref, token=token, error=error), now=self.now)
        elif kind == "panic":
            self._finish(CloseReason.ENGINE, redact(event.panic.message, self._token))
        elif kind is not None:
            then = self._continuations.pop(getattr(event, kind).async_id, None)
            if then is not None:
                then(event)

    def _on_room_event(self, event: room_pb2.RoomEvent, session: Receiver) -> None:  # noqa: C901 - one flat dispatch
        what = event.WhichOneof("message")
        if what is None:
            return
        if what == "data_packet_received":
            self._on_data(event.data_packet_received, session)
        elif what == "disconnected":
            name = participant_pb2.DisconnectReason.Name(event.disconnected.reason)
            self._reason = disconnect_reason(name)
        elif what == "eos":
            self._on_eos()
        elif what in _STATE_INPUTS:
            if what == "reconnected":
                self._settled_at = self.now + SETTLE_SECONDS
                self._bound_buffer()
            session.receive(_STATE_INPUTS[what](link=self.ref), now=self.now)
            if what == "reconnecting":
                count(self, self._tell_silence)
        else:
            news = self.members.inputs(what, event)
            if news is None and self._phase is _Phase.OPEN:  # leaving takes our tracks back too
                news = self.ourselves.inputs(what, event)
            if news is not None:
                for inp in news:
                    session.receive(inp, now=self.now)
            elif what in OWNING_ROOM_EVENTS:
                # Something of LiveKit's that Decentraland doesn't use: a byte stream, a data track.
                self.engine.discard(event)

    def _on_data(self, packet: room_pb2.DataPacketReceived, session: Receiver) -> None:
        if packet.WhichOneof("value") != "user":
            return
        user = packet.user
        data = copy_memory(user.data.data.data_ptr, user.data.data.data_len)
        self.engine.release(user.data.handle.id)
        session.receive_data(
            packet.participant_identity or None,
            data,
            reliable=packet.kind == room_pb2.KIND_RELIABLE,
            topic=user.topic,
            now=self.now,
        )

    def _on_connect(self, event: FfiEvent) -> None:
        answer = event.connect
        if answer.WhichOneof("message") != "result":
            self._fail(*connect_failure(answer.error, self._token))
            return
        result = answer.result
        self.handle = self.engine.own(result.room.handle.id)
        self.me = self.engine.own(result.local_participant.handle.id)
        self._identity = result.local_participant.info.identity
        me = result.local_participant.info
        people, tracks = self.members.begin(me, result.participants)
        self.ourselves.begin(me, result.room.info)
        self.engine.attach_room(self.handle, self._arrived)
        if self._queue is not None:
            self._queue.attach(self.handle)
        self._phase = _Phase.OPEN
        self._settled_at = self.now + SETTLE_SECONDS
        try:
            self.engine.send(requests.ready(self.handle))
            self._bound_buffer()
        except NativeRefusal as error:
            self._finish(CloseReason.ENGINE, str(error))
            return
        info = result.room.info
        self.post(
            LinkOpened(
                link=self.ref,
                identity=self._identity,
                room=info.name,
                sid=info.sid,
                participants=tuple(people),
                permissions=permissions_of(me.permission) if me.HasField("permission") else None,
                metadata=info.metadata,
            )
        )
        self._local.extend(tracks)

    def _tell_silence(self, counters: Counters) -> None:
        if counters.silent is not None:
            self.post(LinkSilent(link=self.ref, seconds=counters.silent))

    def _bound_buffer(self) -> None:
        """Let acknowledgements say that little is left in front of a packet; a connection made anew forgets it."""
        self.engine.send(requests.send_buffer(self.me, _SEND_BUFFER))

    # -- leaving

    def _leave(self) -> None:
        self._drain = None
        if self.now < self._settled_at:
            self._phase = _Phase.SETTLING
            self._due = self._settled_at
            return
        self._phase = _Phase.LEAVING
        self._due = self.now + _LEAVE_SECONDS
        self.members.leave()
        async_id = self.engine.next_id()
        try:
            self.call(requests.leave(self.handle, async_id), async_id, lambda _: self.left("disconnect"))
        except NativeRefusal:
            self._due = self.now

    def left(self, what: str) -> None:
        """One of the two signs that the room was left came."""
        self._left_for.discard(what)
        if not self._left_for:
            self._finish(CloseReason.CLIENT, "")

    def _on_eos(self) -> None:
        if self._phase is _Phase.LEAVING:
            self.left("eos")
        else:
            self._left_for.clear()
            self.keeps_tracks = KEEPS_TRACKS
            self._finish(self._reason or CloseReason.NETWORK, "")

    def _fail(self, reason: CloseReason, detail: str) -> None:
        self._phase = _Phase.OVER
        self._shut()
        self.post(LinkFailed(link=self.ref, reason=reason, detail=detail))

    def _finish(self, reason: CloseReason, detail: str) -> None:
        if self._phase is _Phase.OVER:
            return
        was_in = self._phase not in _JOINING
        if self._phase is _Phase.CONNECTING and self._who is not None:
            self._ghost_gone = GHOSTS.appear(self._who)
        self._phase = _Phase.OVER
        self._drain = None
        self._due = None
        self._shut()
        self._callbacks.close()
        self._continuations.clear()
        for callback in self.on_over:
            callback()
        self.on_over.clear()
        if was_in:
            self._give_back()
        self.post(LinkClosed(link=self.ref, reason=reason, detail=detail, stranded=self.stranded))

    def _shut(self) -> None:
        self._mailbox.close()
        left, self._left = self._left, []
        for item in left:
            if isinstance(item, bytes):
                self._discard(parse_event(item))
        if self._queue is not None:
            self.engine.close_queue(self._queue, self._discard)

    def _give_back(self) -> None:
        handles = [self.handle, self.me, *self.members.end()]
        if self._left_for and self.engine.running:
            leave_room(self.engine, self.handle, handles, self._left_for, self._settled_at - self.now)
            return
        self.engine.detach_room(self.handle)
        if self.stranded and self.engine.stranded.keep_room(self.handle):
            self.engine.keep(self.handle)
            handles.remove(self.handle)
        for handle in handles:
            self.engine.drop(handle)

    # -- on any thread

    def _arrived(self, event: FfiEvent) -> None:
        """An event of this room, with ctypes' callback: what the native one does by itself."""
        kind = event.WhichOneof("message")
        if kind == "room_event" and not self._admitted(event.room_event, _size_of(event)):
            self.engine.discard(event)
        else:
            self._mailbox.put(event)

    def _admitted(self, news: room_pb2.RoomEvent, size: int) -> bool:
        what = news.WhichOneof("message") or ""
        foreign = FOREIGN.get(what)
        if what == "data_packet_received":
            foreign = DTMF if news.data_packet_received.WhichOneof("value") == "sip_dtmf" else None
        if foreign is not None:
            self._intake.foreign(foreign, getattr(news, what).participant_identity or None, size - OBJECTS)
            self._wake()
            return False
        return what not in REPEATED and self._intake.put(
            size, losable=what in LOSABLE or what == "data_packet_received"
        )

    def _discard(self, event: FfiEvent) -> None:
        if event.WhichOneof("message") == "connect":
            leave_late_room(self.engine, event, self._ghost_gone)
            return
        if event.WhichOneof("message") == "room_event" and event.room_event.WhichOneof("message") == "eos":
            self._left_for.discard("eos")
        self.engine.discard(event)


def _put_keeping(put: Callable[[FfiEvent], None], _kept: object, event: FfiEvent) -> None:
    put(event)


def _size_of(event: FfiEvent) -> int:
    """What an event of a room takes while it waits, and what it is tallied as."""
    return OBJECTS + event.ByteSize() + event.room_event.data_packet_received.user.data.data.data_len


def _nothing() -> None:
    """What is to be done as long as there is nothing to do."""


def _forget(_: object) -> None:
    """What becomes of a callback for a room that is over."""
