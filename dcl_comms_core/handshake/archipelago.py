"""ArchipelagoSession: which island we are on, by a realm's island service (Archipelago, v3).

It gets us in, tells the service where we are, and tells the application where to go: IslandChanged with an Adapter.
What to do in the room that this leads to is a RoomSession's business.

What the service does not say it can't be asked either: after a minute without heartbeats it forgets us in silence,
and a connection string is given once and lives five minutes.  So heartbeats never stop while the socket is open, and
``renew()`` makes a fresh handshake, which is the only way to a new connection string for the same island.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from dcl_comms_core import events as ev
from dcl_comms_core.adapters.connection_string import ArchipelagoAdapter
from dcl_comms_core.codec import decode_message
from dcl_comms_core.errors import DecodeError, InvalidConnectionString, LocalProtocolError
from dcl_comms_core.handshake.challenge import KICKED, Failure, Handshake
from dcl_comms_core.handshake.frames import archipelago_service, read_island
from dcl_comms_core.handshake.heartbeats import Heartbeats
from dcl_comms_core.inputs import (
    ClockSet,
    FrameReceived,
    LinkRef,
    PacketsDropped,
    SendAcknowledged,
    SendsAcknowledged,
    SocketClosed,
    SocketOpened,
)
from dcl_comms_core.limits import DEFAULT_LIMITS
from dcl_comms_core.peers import PeerId
from dcl_comms_core.proto import v3
from dcl_comms_core.states import (
    ARCHIPELAGO_TRANSITIONS,
    RETRY,
    ArchipelagoState,
    ArchipelagoTrigger,
    CloseReason,
    Stage,
    Timer,
)
from dcl_comms_core.tools.arguments import are_finite
from dcl_comms_core.tools.clock import Clock
from dcl_comms_core.tools.labels import Label
from dcl_comms_core.tools.prng import Prng
from dcl_comms_core.tools.retries import Retries
from dcl_comms_core.tools.timers import Timers, earlier, earliest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dcl_comms_core.adapters.url_guard import Place
    from dcl_comms_core.commands import Command
    from dcl_comms_core.identity.auth_chain import AuthChain
    from dcl_comms_core.identity.guard import ChallengeGuard
    from dcl_comms_core.inputs import Input
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.tools.backoff import Backoff

__all__ = ["ArchipelagoSession"]

_INPUTS: Final = (SocketOpened, FrameReceived, SocketClosed, SendAcknowledged, SendsAcknowledged, PacketsDropped)
_WITH_SOCKET: Final = frozenset({ArchipelagoState.HANDSHAKE, ArchipelagoState.OPEN, ArchipelagoState.CLOSING})


class ArchipelagoSession:
    """One session with an island service.  Makes no connection, reads no clock, starts nothing.

    ``adapter``: where it is.  ``address``: the wallet's.  ``guard``: what may be signed, and where.  ``reconnect``: how
    to come back after the socket is lost, None for never; the first attempt is never repeated.  ``entropy``: seeds the
    jitter of the pauses.  ``heartbeat``: seconds between two heartbeats.  ``within``: where the
    realm is that named the service, None: the user did.

    RealmOpened, then IslandChanged as often as it happens, then RealmClosed; SignatureNeeded in every handshake.
    """

    def __init__(
        self,
        adapter: ArchipelagoAdapter,
        *,
        address: str,
        guard: ChallengeGuard,
        room: str = "realm",
        link: int = 1,
        limits: Limits = DEFAULT_LIMITS,
        entropy: int = 0,
        reconnect: Backoff | None = None,
        heartbeat: float = 1.0,
        within: Place | None = None,
    ) -> None:
        if not isinstance(adapter, ArchipelagoAdapter):  # pyright: ignore[reportUnnecessaryIsInstance]  # untyped callers
            msg = f"an ArchipelagoSession takes an ArchipelagoAdapter, not {type(adapter).__name__}"
            raise LocalProtocolError(msg)
        if not are_finite((heartbeat,), 1) or heartbeat <= 0.0:
            msg = "heartbeat is a finite number of seconds above 0"
            raise LocalProtocolError(msg)
        self._adapter = adapter
        self._limits = limits
        self._state = ArchipelagoState.NEW
        self._clock = Clock()
        self._room = Label(room, self._clock)
        self._timers = Timers()
        self._retries = Retries(reconnect, Prng(entropy), limits.stable_seconds)
        self.counters: Counter[str] = Counter()
        """How often: heartbeats, islands, ignored and undecodable (frames), dropped.inbox_bytes (frames for which the
        driver had no room), late (inputs and answers), reconnected."""
        self._events: list[ev.Event] = []
        self._handshake = Handshake(
            archipelago_service(limits),
            url=adapter.url,
            address=address,
            guard=guard,
            room=self._room,
            within=within,
            say=self._tell,
        )
        self._link = LinkRef(link, 0)
        self._heartbeats = Heartbeats(
            self._clock,
            self._timers,
            self.counters,
            period=heartbeat,
            patience=limits.island_seconds,
            send=self._handshake.send,
        )
        self._opened_once = False
        self._place: Place | None = None
        self._identity: PeerId | None = None
        self._island: ev.IslandChanged | None = None

    # --- what the world may ask

    @property
    def state(self) -> ArchipelagoState:
        """Where the session stands."""
        return self._state

    @property
    def stage(self) -> Stage:
        """How far the handshake has come."""
        return self._handshake.stage

    @property
    def adapter(self) -> ArchipelagoAdapter:
        """Where the service is."""
        return self._adapter

    @property
    def room(self) -> str:
        """The label in events."""
        return self._room

    @property
    def identity(self) -> PeerId | None:
        """Who we are; None before RealmOpened."""
        return self._identity

    @property
    def island(self) -> ev.IslandChanged | None:
        """The newest island that we were told of; None: none yet.  Its connection string may be spent."""
        return self._island

    @property
    def place(self) -> Place | None:
        """The network where the service was reached, for opening what it names ``within``; None: not reached yet."""
        return self._place

    def commands(self) -> list[Command]:
        """Take everything that the transport is to do, in order."""
        return self._handshake.take_commands()

    def events(self) -> list[ev.Event]:
        """Take everything that happened, in order."""
        events, self._events = self._events, []
        return events

    def deadline(self) -> float | None:
        """When to call ``handle_timeout`` at the latest; None: not needed.  May change with any other call."""
        return earlier(self._timers.deadline, self._handshake.deadline)

    @property
    def deadline_reason(self) -> Timer | None:
        """The timer behind the deadline."""
        deadline = self.deadline()
        return self._timers.reason if deadline == self._timers.deadline else Timer.STAGE

    @property
    def timers(self) -> Mapping[Timer, float]:
        """Every timer that runs, and when it is due."""
        return earliest([*self._timers.due().items(), (Timer.STAGE, self._handshake.deadline)])

    # --- intents

    def open(self, *, now: float | None = None) -> None:
        """Begin.  The answer is RealmOpened or RealmClosed."""
        self._clock.pass_time(now)
        if (self._state, ArchipelagoTrigger.OPEN) not in ARCHIPELAGO_TRANSITIONS:
            msg = f"the session is {self._state.value}: make a new ArchipelagoSession to begin again"
            raise LocalProtocolError(msg)
        refusal = self._handshake.refusal()
        if refusal is None:
            self._move(ArchipelagoTrigger.OPEN)
            self._begin()
        else:
            self._move(ArchipelagoTrigger.REFUSED)
            self._finish(refusal)

    def close(self, *, now: float | None = None) -> None:
        """Leave.  Closing again does nothing.  RealmClosed(CLIENT) follows."""
        self._clock.pass_time(now)
        before = self._state
        self._move(ArchipelagoTrigger.CLOSE)
        if self._state is before:
            return
        self._handshake.hang_up()
        self._timers.clear()
        if self._state is ArchipelagoState.CLOSED:
            self._finish(Failure(CloseReason.CLIENT))
        else:
            self._timers.arm(Timer.CLOSE, self._clock.now + self._limits.close_seconds)

    def provide_signature(self, request: int, chain: AuthChain, *, now: float | None = None) -> None:
        """Answer SignatureNeeded; see WsRoomSession.provide_signature."""
        self._clock.pass_time(now)
        if not self._handshake.provide(request, chain, now=self._clock.now, unix_now=self._clock.unix_now()):
            self.counters["late"] += 1

    def refuse_signature(self, request: int, detail: str = "", *, now: float | None = None) -> None:
        """Answer SignatureNeeded: nobody will sign.  RealmClosed(NOT_SIGNED) follows."""
        self._clock.pass_time(now)
        failure = self._handshake.refuse(request, detail)
        if failure is None:
            self.counters["late"] += 1
        else:
            self._fail(failure)

    def set_position(self, position: tuple[float, float, float], *, now: float | None = None) -> None:
        """Be somewhere, in metres (x east, y up, z north).  The first one begins the heartbeats; the next tells it."""
        self._clock.pass_time(now)
        self._heartbeats.put(position)
        if self._state is ArchipelagoState.OPEN:
            self._heartbeats.begin()

    def set_desired_room(self, island: str | None, *, now: float | None = None) -> None:
        """Prefer an island, of those that are near; the service remembers it until it is told of another.

        PacketTooLarge: no server would take a heartbeat with it.
        """
        self._clock.pass_time(now)
        self._heartbeats.prefer(island)

    def renew(self, *, now: float | None = None) -> None:
        """Make a fresh handshake, for a fresh connection string.  Does nothing while one is under way.

        The first one begins at once; when they follow each other closely, after pauses.
        """
        self._clock.pass_time(now)
        if self._state in {ArchipelagoState.NEW, ArchipelagoState.CLOSING, ArchipelagoState.CLOSED}:
            msg = f"the session is {self._state.value}: renew between open() and RealmClosed"
            raise LocalProtocolError(msg)
        if self._state is ArchipelagoState.OPEN:
            self._retries.over(self._clock.now)
            self._handshake.hang_up()
            self._move(ArchipelagoTrigger.RENEW)
            self._wait(CloseReason.CLIENT, self._retries.renewal())

    # --- time

    def handle_timeout(self, now: float) -> None:
        """Let time pass.  Calling it too early or too often does nothing."""
        self._clock.pass_time(now)
        failure = self._handshake.timed_out(self._clock.now)
        if failure is not None:
            self._fail(failure)
        while (timer := self._timers.pop_due(self._clock.now)) is not None:
            if timer is Timer.HEARTBEAT:
                self._heartbeats.beat()
            elif timer is Timer.ISLAND:
                text = f"no island within {self._limits.island_seconds:g} s"
                self._warn(ev.WarningCode.NO_ISLAND, text)
            elif timer is Timer.RETRY:
                self._move(ArchipelagoTrigger.RETRY)
                self._begin()
            else:
                self._move(ArchipelagoTrigger.ENDED)
                self._finish(Failure(CloseReason.CLIENT, "the socket did not confirm its end"))

    # --- inputs

    def receive(self, inp: Input, *, now: float) -> None:
        """Take a fact from outside.  LocalProtocolError: not an input, or the host gave a time that is not finite."""
        self._clock.pass_time(now)
        if isinstance(inp, ClockSet):
            self._clock.set_unix(inp.unix_offset)
            return
        if not isinstance(inp, _INPUTS):
            msg = f"receive() takes a WebSocket's input of dcl_comms_core.inputs, not {type(inp).__name__}"
            raise LocalProtocolError(msg)
        if inp.link != self._link or self._state not in _WITH_SOCKET:
            self.counters["late"] += 1
        elif isinstance(inp, SocketClosed):
            self._on_closed(inp)
        elif self._state is ArchipelagoState.CLOSING:
            self.counters["late"] += 1
        elif isinstance(inp, FrameReceived):
            self._on_frame(inp.data)
        elif isinstance(inp, PacketsDropped):
            self.counters["dropped.inbox_bytes"] += inp.count
            limit = self._limits.inbox_bytes
            self._tell(ev.LimitReached(at=self._clock.now, room=self._room, limit="inbox_bytes", value=limit))
        elif isinstance(inp, SocketOpened):
            self._place = inp.place
            if not self._handshake.opened(self._clock.now):
                self.counters["late"] += 1

    def _on_closed(self, inp: SocketClosed) -> None:
        if self._state is ArchipelagoState.CLOSING:
            self._move(ArchipelagoTrigger.ENDED)
            self._finish(Failure(CloseReason.CLIENT))
        else:
            self._over(self._handshake.closed(inp))

    def _on_frame(self, data: bytes) -> None:
        try:
            packet = decode_message(v3.ServerPacket, data, limits=self._limits)
        except DecodeError:
            self.counters["undecodable"] += 1
            return
        if packet.challenge_response is not None:
            message = packet.challenge_response
            answer = self._handshake.challenged(
                message.challenge_to_sign, already=message.already_connected, now=self._clock.now
            )
            if isinstance(answer, Failure):
                self._fail(answer)
            elif answer:
                return
        elif packet.welcome is not None and self._handshake.welcomed(self._clock.now):
            self._on_welcome(packet.welcome)
            return
        elif packet.island_changed is not None and self._state is ArchipelagoState.OPEN:
            self._on_island(packet.island_changed)
            return
        elif packet.kicked is not None:
            self._on_kicked()
            return
        # Newer than this library, of no use by now, or out of turn: never a reason to give up.
        self.counters["ignored"] += 1

    def _on_welcome(self, message: v3.WelcomeMessage) -> None:
        self._identity = PeerId(message.peer_id)
        self._retries.entered(self._clock.now)
        self._move(ArchipelagoTrigger.WELCOMED)
        if self._opened_once:
            self.counters["reconnected"] += 1
            self._tell(ev.Reconnected(at=self._clock.now, room=self._room, attempt=self._retries.attempt))
        else:
            self._opened_once = True
            self._tell(ev.RealmOpened(at=self._clock.now, room=self._room, identity=self._identity))
        self._heartbeats.begin()

    def _on_island(self, message: v3.IslandChangedMessage) -> None:
        self._heartbeats.answered()
        previous = None if self._island is None else self._island.island
        try:
            island = read_island(message, at=self._clock.now, room=self._room, previous=previous, limits=self._limits)
        except InvalidConnectionString as error:
            self._warn(ev.WarningCode.ISLAND_UNREADABLE, str(error))
            return
        self.counters["islands"] += 1
        self._island = island
        self._tell(island)

    def _on_kicked(self) -> None:
        welcomed = self._handshake.stage is Stage.WELCOMED
        why = KICKED if welcomed else Failure(CloseReason.BANNED, "kicked instead of welcomed")
        self._tell(ev.Kicked(at=self._clock.now, room=self._room, cause=why.reason, detail=why.detail))
        self._fail(why)

    # --- the end of a socket

    def _begin(self) -> None:
        self._link = LinkRef(self._link.link, self._link.generation + 1)
        self._handshake.begin(self._link, self._clock.now)

    def _fail(self, failure: Failure) -> None:
        """Hang up."""
        self._handshake.hang_up()
        self._over(failure)

    def _over(self, failure: Failure) -> None:
        self._retries.over(self._clock.now)
        if self._opened_once and self._retries.may(RETRY[failure.reason]):
            self._move(ArchipelagoTrigger.LOST)
            self._wait(failure.reason, self._retries.pause())
        else:
            self._move(ArchipelagoTrigger.ENDED)
            self._finish(failure)

    def _wait(self, reason: CloseReason, pause: float) -> None:
        now, attempt = self._clock.now, self._retries.attempt
        self._timers.clear()
        self._timers.arm(Timer.RETRY, now + pause)
        self._tell(ev.Reconnecting(at=now, room=self._room, attempt=attempt, reason=reason))

    def _finish(self, failure: Failure) -> None:
        self._timers.clear()
        reason, detail = failure
        closed = ev.RealmClosed(at=self._clock.now, room=self._room, reason=reason, retry=RETRY[reason], detail=detail)
        self._tell(closed)

    # --- small help

    def _move(self, trigger: ArchipelagoTrigger) -> None:
        self._state = ARCHIPELAGO_TRANSITIONS[self._state, trigger]

    def _tell(self, event: ev.Event) -> None:
        self._events.append(event)

    def _warn(self, code: ev.WarningCode, text: str) -> None:
        self._tell(ev.Warning(at=self._clock.now, room=self._room, code=code, text=text))
