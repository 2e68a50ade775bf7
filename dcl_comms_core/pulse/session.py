"""PulseSession: a connection to Pulse, which tells where everybody is, and forms the islands of Genesis City.

It is a movement source: PeerJoined, PeerMoved and so on with the room ``pulse``, of whoever is near, be they in one of
our rooms or in none.  As a player we are told of too, and the island service will send us to an island once we are; as
a listener to scenes nobody sees us, and there is no island.

::

    we      datagrams, ENet's connect       the service   ENet's verify
    we      who we are, signed              the service   accepted, or why not
    we      which realm, where              the service   who is near; and what they do from now on

What is lost is begun anew, after a pause, as long as that may help.  Everything travels in the clear.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from math import inf, isfinite
from typing import TYPE_CHECKING, Final

from dcl_comms_core import events as ev
from dcl_comms_core.adapters.pulse import PULSE_PORT
from dcl_comms_core.codec import decode, decode_message, encode
from dcl_comms_core.enet.delivery import EnetEnd
from dcl_comms_core.enet.peer import EnetConnected, EnetMessage
from dcl_comms_core.errors import DecodeError, LocalProtocolError, PacketTooLarge, SendQueueFull, SigningRefused
from dcl_comms_core.identity.auth_chain import require_address, require_answer
from dcl_comms_core.inputs import (
    ClockSet,
    DatagramReceived,
    DatagramRefused,
    DatagramsClosed,
    DatagramsOpened,
    PacketsDropped,
)
from dcl_comms_core.limits import DEFAULT_LIMITS, Limits
from dcl_comms_core.peers import EVERYONE, PeerId
from dcl_comms_core.proto import pulse, rfc4
from dcl_comms_core.pulse.areas import ScenesOnly, wire_areas
from dcl_comms_core.pulse.connection import PULSE_ENET, Connection
from dcl_comms_core.pulse.handshake import Proof
from dcl_comms_core.pulse.outgoing import MOST_EMOTE_SECONDS, Outgoing
from dcl_comms_core.pulse.pace import Pace
from dcl_comms_core.pulse.realms import realm_name
from dcl_comms_core.pulse.reasons import Ending, ending, refused
from dcl_comms_core.pulse.state import to_state
from dcl_comms_core.pulse.subjects import Subjects
from dcl_comms_core.states import PULSE_TRANSITIONS, RETRY, CloseReason, PulseState, PulseTrigger, Retry, Timer
from dcl_comms_core.tools.backoff import Backoff
from dcl_comms_core.tools.clock import Clock
from dcl_comms_core.tools.labels import Label
from dcl_comms_core.tools.prng import Prng
from dcl_comms_core.tools.retries import Retries
from dcl_comms_core.tools.timers import Timers, earlier, earliest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dcl_comms_core.adapters.url_guard import Place
    from dcl_comms_core.commands import Command
    from dcl_comms_core.enet.options import EnetOptions
    from dcl_comms_core.identity.auth_chain import AuthChain
    from dcl_comms_core.identity.guard import ChallengeGuard
    from dcl_comms_core.inputs import Input, LinkRef
    from dcl_comms_core.peers import Addressees

__all__ = ["PulseSession"]

MOST_HANDSHAKE: Final = 4_096
_MAIN: Final = "main"
_OVER: Final = frozenset({PulseState.NEW, PulseState.WAITING, PulseState.CLOSED})
_LEFT: Final = Ending(CloseReason.CLIENT, Retry.NEVER, 0.0, "")


class PulseSession:
    """One presence on Pulse.  Makes no connection, reads no clock, starts nothing.

    ``host`` and ``port``: where the service is.  ``address``: the wallet's; the login that signs must be the one that
    the island service sees, or it sends us to no island.  ``scenes``: watch these scenes instead of being there.
    ``guard``: who may be given our proof; None: whoever was named.  ``within``: where the realm is that named the
    service, None: the user did.  ``reconnect``: the pauses between attempts, which end only where none can help; None:
    what is lost is over.  ``entropy``: seeds connect ids and the jitter of the pauses.

    RoomOpened, then of whoever is near PeerJoined, PeerMoved, PeerEmoted, ProfileAnnounced and PeerLeft; Reconnecting
    and Reconnected as in a room; a Warning(SOURCE_UNREACHABLE) when the service can't be reached, which goes on being
    tried; RoomClosed at the end.  SignatureNeeded at each connection: the wall clock has to be set (ClockSet) before.
    """

    def __init__(  # noqa: PLR0913 - what may be told, each by its name
        self,
        host: str,
        port: int = PULSE_PORT,
        *,
        address: str,
        link: int = 1,
        scenes: ScenesOnly | None = None,
        room: str = "pulse",
        guard: ChallengeGuard | None = None,
        within: Place | None = None,
        limits: Limits = DEFAULT_LIMITS,
        entropy: int = 0,
        reconnect: Backoff | None = Backoff(maximum=60.0),  # noqa: B008 - it is frozen
        enet: EnetOptions = PULSE_ENET,
    ) -> None:
        self._address = require_address(address)
        self._scenes = scenes
        self._clock = Clock()
        self._room = Label(room, self._clock)
        self._guard = guard
        self._limits = limits
        prng = Prng(entropy)
        self._connection = Connection(host, port, link=link, within=within, options=enet, limits=limits, prng=prng)
        self._retries = Retries(
            None if reconnect is None else replace(reconnect, attempts=2**31), prng, limits.stable_seconds
        )
        self._state = PulseState.NEW
        self._timers = Timers()
        self._events: list[ev.Event] = []
        self.counters: Counter[str] = Counter()
        """How often: received and received_bytes (messages), undecodable, ignored, refused (datagrams, by the network),
        late (inputs and answers), reconnected, outside (movements of ours from where nothing can be told), dropped."""
        self._proof = Proof()
        self._request = 0
        self._payload = ""
        self._subjects = Subjects(limits, room=self._room, own=PeerId(address))
        self._outgoing = Outgoing(self._say)
        self._areas = Pace(1.0, 1)
        self._areas_waiting = False
        self._opened_once = False
        self._warned = False
        self._deaf = ""
        """What the network said of datagrams that did not arrive."""

    # --- what the world may ask

    @property
    def state(self) -> PulseState:
        """Where the session stands."""
        return self._state

    @property
    def room(self) -> str:
        """The label in its events."""
        return self._room

    @property
    def link(self) -> LinkRef:
        """Its link, as its commands name it now."""
        return self._connection.link

    @property
    def sending(self) -> bool:
        """Whether packets are taken now: of a player that is connected."""
        return self._state is PulseState.OPEN and self._scenes is None

    @property
    def places(self) -> bool:
        """Whether an island may come of it: who only watches is on none."""
        return self._scenes is None

    @property
    def timers(self) -> Mapping[Timer, float]:
        """Every timer that runs, its connection's too, and when it is due."""
        now, timer = self._clock.now, self._connection.timer
        mine: list[tuple[Timer, float | None]] = [*self._timers.due().items()]
        if timer is not None:
            mine.append((timer, self._connection.deadline()))
        return earliest([*mine, (Timer.MOVE, self._outgoing.due(now))])

    @property
    def where(self) -> str:
        """The service's host and port, for people."""
        return self._connection.where

    # --- beginning and end

    def open(self, *, now: float | None = None) -> None:
        """Begin.  LocalProtocolError: it has begun, or there is no wall clock."""
        self._clock.pass_time(now)
        if (self._state, PulseTrigger.OPEN) not in PULSE_TRANSITIONS:
            msg = f"the session is {self._state.value}: make a new PulseSession to begin again"
            raise LocalProtocolError(msg)
        if self._clock.unix_offset is None:
            msg = "who we are is signed with the time: receive(ClockSet(...)) before open()"
            raise LocalProtocolError(msg)
        refusal = self._refusal()
        if refusal is not None:
            self._move(PulseTrigger.REFUSED)
            self._finish(Ending(CloseReason.SIGNING_REFUSED, Retry.NEVER, 0.0, refusal))
            return
        self._move(PulseTrigger.OPEN)
        self._begin()

    def close(self, *, drain: float | None = None, now: float | None = None) -> None:
        """Leave.  RoomClosed(CLIENT) follows once the service knows, after ``drain`` seconds at the latest."""
        self._clock.pass_time(now)
        before = self._state
        self._move(PulseTrigger.CLOSE)
        if self._state is PulseState.CLOSED:
            if before is not PulseState.CLOSED:
                self._timers.clear()
                self._finish(_LEFT)
        elif before is not PulseState.CLOSING:
            seconds = self._limits.drain_seconds if drain is None else drain
            self._timers.clear()
            self._timers.arm(Timer.CLOSE, self._clock.now + seconds)
            self._outgoing.end()
            if not self._connection.leave():
                self._connection.shut(self._clock.now)

    # --- who we are

    def provide_signature(self, request: int, chain: AuthChain, *, now: float | None = None) -> None:
        """Answer SignatureNeeded.  An answer that nobody waits for any more is counted as late and ignored.

        LocalProtocolError: the chain signs another payload; InvalidAuthChain: it has expired, or is malformed;
        PacketTooLarge: the service would not take it.  Then nothing was sent, and another may be given.
        """
        self._clock.pass_time(now)
        if request != self._request or self._state is not PulseState.SIGNING:
            self.counters["late"] += 1
            return
        require_answer(chain, self._payload, unix_now=self._clock.unix_now())
        proof = self._proof.encoded(chain)
        if len(proof) > MOST_HANDSHAKE:
            raise PacketTooLarge(len(proof), MOST_HANDSHAKE)
        self._move(PulseTrigger.SIGNED)
        self._timers.arm(Timer.STAGE, self._clock.now + self._limits.pulse_stage_seconds)
        if self._scenes is not None:
            greeting = pulse.SceneListenerHandshakeRequest(
                auth_chain=proof, aoi=wire_areas(self._scenes, self._outgoing.realm or _MAIN)
            )
            self._say(pulse.ClientMessage(scene_listener_handshake=greeting), True)
            self._areas.take(self._clock.now)
            return
        # Who was there before goes on from where it is.
        hello = pulse.HandshakeRequest(
            auth_chain=proof,
            profile_version=self._outgoing.version,
            initial_state=self._outgoing.initial() if self._opened_once else None,
        )
        self._say(pulse.ClientMessage(handshake=hello), True)

    def refuse_signature(self, request: int, detail: str = "", *, now: float | None = None) -> None:
        """Answer SignatureNeeded: nobody will sign.  RoomClosed(NOT_SIGNED) follows."""
        self._clock.pass_time(now)
        if request != self._request or self._state is not PulseState.SIGNING:
            self.counters["late"] += 1
            return
        self._over(Ending(CloseReason.NOT_SIGNED, Retry.NEVER, 0.0, detail))

    # --- what we do

    def set_realm(self, name: str | None, *, now: float | None = None) -> None:
        """Be in the realm of this name; None: in none, where nobody is seen.  Case makes no difference."""
        self._clock.pass_time(now)
        realm = realm_name(name or "")
        self._outgoing.be_in(realm)
        if self._scenes is None:
            self._events += self._subjects.set_realm(realm, self._clock.now)
        self._go()

    def set_position(self, position: tuple[float, float, float], *, now: float | None = None) -> None:
        """Be somewhere, in metres (x east, y up, z north), standing; where no movement says it."""
        self._clock.pass_time(now)
        if self._outgoing.state is None:
            x, y, z = position
            self._walk(rfc4.Movement(position_x=x, position_y=y, position_z=z, is_grounded=True, is_instant=True))

    def set_areas(self, scenes: ScenesOnly, *, now: float | None = None) -> None:
        """Watch these scenes instead, of a listener.  LocalProtocolError: this is a player."""
        self._clock.pass_time(now)
        if self._scenes is None:
            msg = "a player sees who is near: only a PulseSession(scenes=...) chooses what it watches"
            raise LocalProtocolError(msg)
        self._scenes = scenes
        self._areas_waiting = self._state is PulseState.OPEN
        self._go()

    def send_bytes(
        self,
        data: bytes,
        *,
        to: Addressees = EVERYONE,
        reliable: bool = True,
        topic: str = "",
        now: float | None = None,
    ) -> None:
        """Take an encoded Packet of ours: a movement, an emote or a profile version; of others nothing is told here.

        DecodeError: it is no Packet.
        """
        del to, reliable, topic
        self._clock.pass_time(now)
        packet = decode(data, limits=self._limits)
        if packet.movement is not None:
            self._walk(packet.movement)
        elif packet.profile_version is not None:
            self._outgoing.announce(packet.profile_version.profile_version)
            self._go()
        elif packet.player_emote is not None:
            self.show_emote(packet.player_emote, None)
        else:
            self.counters["ignored"] += 1

    def show_emote(self, emote: rfc4.PlayerEmote, duration: float | None, *, now: float | None = None) -> None:
        """Play an emote, or stop it.  ``duration``: seconds, 60 at most; None: until it is stopped, or we move.

        LocalProtocolError: this is no URN of an emote, or no number of seconds.
        """
        self._clock.pass_time(now)
        if not emote.is_stopping and (not emote.urn.isprintable() or (duration is not None and not isfinite(duration))):
            msg = "an emote has a URN, without control characters, and lasts a finite number of seconds"
            raise LocalProtocolError(msg)
        at = self._clock.now
        if emote.is_stopping:
            self._outgoing.emote(None, at, until=at)
        else:
            seconds = None if duration is None else min(max(duration, 0.0), MOST_EMOTE_SECONDS)
            start = pulse.EmoteStart(
                emote_id=emote.urn,
                duration_ms=None if seconds is None else round(seconds * 1000),
                mask=None if emote.mask is None else _signed(emote.mask),
            )
            self._outgoing.emote(start, at, until=inf if seconds is None else at + seconds)
        self._go()

    def _walk(self, movement: rfc4.Movement) -> None:
        state = to_state(movement)
        if state is None:
            self.counters["outside"] += 1
        self._outgoing.be_at(state, self._clock.now, jump=movement.is_instant)
        self._go()

    # --- time

    def deadline(self) -> float | None:
        """When to call ``handle_timeout`` at the latest; None: not needed."""
        due = earlier(self._timers.deadline, self._connection.deadline())
        if self._state is PulseState.OPEN:
            now = self._clock.now
            due = earlier(due, self._outgoing.due(now))
            due = earlier(due, self._subjects.deadline())
            if self._areas_waiting:
                due = earlier(due, self._areas.due(now))
        return due

    def handle_timeout(self, now: float) -> None:
        """Let time pass.  Calling it too early or too often does nothing."""
        self._clock.pass_time(now)
        self._connection.handle_timeout(self._clock.now)
        self._listen()
        while (timer := self._timers.pop_due(self._clock.now)) is not None:
            if timer is Timer.RETRY:
                self._move(PulseTrigger.RETRY)
                self._begin()
            elif timer is Timer.CLOSE:
                self._closing_took_long()
            else:
                self._over(self._late())
        self._go()

    def _late(self) -> Ending:
        """What a step that took too long means."""
        state, seconds = self._state, self._limits.pulse_connect_seconds
        if state is PulseState.SIGNING:
            return Ending(CloseReason.NOT_SIGNED, Retry.BACKOFF, 0.0, "nobody signed who we are in time")
        if state is PulseState.GREETING:
            return Ending(CloseReason.TIMEOUT, Retry.BACKOFF, 0.0, f"no word on who we are from {self.where}")
        if self._deaf:
            nobody = f"nothing listens at {self.where} ({self._deaf})"
        else:
            guess = "a firewall keeps it out, or the service is down"
            nobody = f"nothing came from {self.where} over UDP within {seconds:g} s: {guess}"
        return Ending(CloseReason.UNREACHABLE, Retry.BACKOFF, 0.0, nobody)

    # --- inputs

    def receive(self, inp: Input, *, now: float) -> None:
        """Take a fact from outside.  LocalProtocolError: the host gave a time that is not finite."""
        self._clock.pass_time(now)
        if isinstance(inp, ClockSet):
            self._clock.set_unix(inp.unix_offset)
            return
        if inp.link != self.link or self._state in _OVER:
            self.counters["late"] += 1
            return
        match inp:
            case DatagramReceived():
                self._connection.receive(inp.data, self._clock.now)
                self._listen()
            case DatagramsOpened() if self._state is PulseState.OPENING:
                self._move(PulseTrigger.OPENED)
                self._connection.opened(self._clock.now)
            case DatagramRefused():
                self.counters["refused"] += 1
                self._deaf = inp.detail or "refused"
                # It is no proof; but an attempt is easily made again.
                if self._state is PulseState.CONNECTING:
                    self._over(self._late())
            case DatagramsClosed():
                self._on_closed(inp)
            case PacketsDropped():
                self.counters["dropped.inbox_bytes"] += inp.count
                limit = self._limits.inbox_bytes
                self._tell(ev.LimitReached(at=self._clock.now, room=self._room, limit="inbox_bytes", value=limit))
            case _:
                self.counters["late"] += 1
        self._go()

    def _on_closed(self, inp: DatagramsClosed) -> None:
        self._connection.gone()
        if self._state is PulseState.CLOSING:
            self._timers.clear()
            self._move(PulseTrigger.ENDED)
            self._finish(_LEFT)
        else:
            self._over(Ending(inp.reason, RETRY[inp.reason], 0.0, f"{self.where}: {inp.detail}"), shut=False)

    def _listen(self) -> None:
        """What ENet has to say."""
        link = self.link
        while told := self._connection.events():
            for event in told:
                if isinstance(event, EnetMessage):
                    self._on_message(event.data)
                elif isinstance(event, EnetConnected):
                    self._ask()
                else:
                    self._on_disconnected(event.end, event.data)
                if not self._connection.there or self.link != link:
                    return

    def _ask(self) -> None:
        """ENet is connected: say who we are."""
        self._move(PulseTrigger.CONNECTED)
        self._timers.clear()
        self._timers.arm(Timer.STAGE, self._clock.now + self._limits.pulse_sign_seconds)
        self._request += 1
        unix = self._clock.unix_now()
        assert unix is not None  # noqa: S101 - open() asked for it, and a clock is not taken away
        self._payload = self._proof.payload(unix)
        self._tell(
            ev.SignatureNeeded(at=self._clock.now, room=self._room, payload=self._payload, request=self._request)
        )

    def _on_message(self, data: bytes) -> None:
        self.counters["received"] += 1
        self.counters["received_bytes"] += len(data)
        try:
            message = decode_message(pulse.ServerMessage, data, limits=self._limits)
        except DecodeError:
            self.counters["undecodable"] += 1
            return
        if self._state is PulseState.OPEN:
            self._events += self._subjects.take(message, self._clock.now)
        elif message.handshake is None or self._state is not PulseState.GREETING:
            self.counters["ignored"] += 1
        elif message.handshake.success:
            self._welcomed()
        else:
            self._over(refused(message.handshake.error or ""))

    def _welcomed(self) -> None:
        now = self._clock.now
        self._move(PulseTrigger.WELCOMED)
        self._timers.clear()
        self._retries.entered(now)
        self._warned = False
        self._deaf = ""
        self._subjects.begin(now)
        if self._opened_once:
            self.counters["reconnected"] += 1
            self._tell(ev.Reconnected(at=now, room=self._room, attempt=self._retries.attempt))
        else:
            self._opened_once = True
            # As the island service and the rooms write it, and as others are told of here.
            me = PeerId(self._address.lower())
            self._tell(ev.RoomOpened(at=now, room=self._room, identity=me, name=self.where, sid=""))
        if self._scenes is None:
            self._outgoing.begin()

    def _on_disconnected(self, end: EnetEnd, code: int) -> None:
        if self._state is PulseState.CLOSING:
            self._connection.shut(self._clock.now)
        elif end is EnetEnd.REMOTE:
            self._over(ending(code))
        elif self._state is PulseState.CONNECTING:
            self._over(self._late())
        else:
            detail = f"nothing came from {self.where} any more"
            self._over(Ending(CloseReason.NETWORK, Retry.BACKOFF, 0.0, detail))

    # --- the end of a connection

    def _begin(self) -> None:
        self._deaf = ""
        self._timers.arm(Timer.CONNECT, self._clock.now + self._limits.pulse_connect_seconds)
        self._connection.begin()

    def _over(self, end: Ending, *, shut: bool = True) -> None:
        """This connection is over."""
        now = self._clock.now
        if shut:
            self._connection.shut(now)
        self._timers.clear()
        self._outgoing.end()
        self._retries.over(now)
        if not self._retries.may(end.retry):
            self._move(PulseTrigger.ENDED)
            self._finish(end)
            return
        self._move(PulseTrigger.LOST)
        self._events += self._subjects.forget(now)
        pause = max(self._retries.pause(), end.pause)
        self._timers.arm(Timer.RETRY, now + pause)
        if self._opened_once:
            attempt = self._retries.attempt
            self._tell(ev.Reconnecting(at=now, room=self._room, attempt=attempt, reason=end.reason))
        if not self._warned and (self._retries.attempt > 1 or not self._opened_once):
            self._warned = True
            text = f"{end.detail or end.reason.value}; it is tried again"
            code = ev.WarningCode.SOURCE_UNREACHABLE
            self._tell(ev.Warning(at=now, room=self._room, code=code, text=text))

    def _closing_took_long(self) -> None:
        if self._connection.there:
            self._connection.shut(self._clock.now)
        self._move(PulseTrigger.ENDED)
        self._finish(_LEFT._replace(detail="the network did not confirm the end"))

    def _finish(self, end: Ending) -> None:
        self._subjects.forget(self._clock.now)
        self._tell(
            ev.RoomClosed(at=self._clock.now, room=self._room, reason=end.reason, retry=end.retry, detail=end.detail)
        )

    # --- output

    def commands(self) -> list[Command]:
        """Take everything that its transport is to do, in order."""
        return self._connection.commands(self._clock.now)

    def events(self) -> list[ev.Event]:
        """Take everything that happened, in order."""
        events, self._events = self._events, []
        return events

    def _go(self) -> None:
        """Say whatever may be said now."""
        if self._state is not PulseState.OPEN:
            return
        now = self._clock.now
        self._outgoing.send(now)
        for request in self._subjects.resyncs(now):
            self._say(pulse.ClientMessage(resync=request), True)
        if self._areas_waiting and self._scenes is not None and self._areas.take(now):
            self._areas_waiting = False
            update = pulse.SceneListenerUpdate(aoi=wire_areas(self._scenes, self._outgoing.realm or _MAIN))
            self._say(pulse.ClientMessage(scene_listener_update=update), True)

    def _say(self, message: pulse.ClientMessage, reliable: bool) -> None:  # noqa: FBT001 - a callback's
        try:
            self._connection.send(encode(message), reliable=reliable)
        except SendQueueFull:
            # The service takes nothing at all: ENet gives it up soon.
            self.counters["dropped.enet_send_bytes"] += 1

    def _refusal(self) -> str | None:
        """Why nobody is to be told there who we are; None: they may."""
        try:
            if self._guard is not None:
                self._guard.check_url(f"https://{self.where}")
        except SigningRefused as error:
            return str(error)
        return None

    def _move(self, trigger: PulseTrigger) -> None:
        self._state = PULSE_TRANSITIONS[self._state, trigger]

    def _tell(self, event: ev.Event) -> None:
        self._events.append(event)


def _signed(bits: int) -> int:
    """32 bits as the service counts them."""
    return bits - (1 << 32) if bits >> 31 else bits
