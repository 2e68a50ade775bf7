"""One play of Pulse: what a service may say, well or badly, to Subjects and to a whole PulseSession, as a seed says.

First Subjects hear messages whose fields are at their edges, some with changed bytes.  Then a PulseSession talks with
a host of ENet that says such messages, ends connections for any reason and is silent at times; datagrams are forged,
cut and repeated, and the application uses its verbs in any order.  Nothing is raised but what the verbs document;
whoever waits has a deadline; nobody is told of, or leaves, who has not joined; nothing is over its limit.
"""

from __future__ import annotations

import hashlib
from random import Random
from typing import TYPE_CHECKING, Any, Final

from dcl_comms_core import events as ev
from dcl_comms_core import inputs
from dcl_comms_core.codec import decode_message, encode
from dcl_comms_core.commands import OpenDatagrams, SendDatagram
from dcl_comms_core.enet import FORK_FLAG, Delivery, EnetConnected, EnetDisconnected, EnetHost, EnetOptions
from dcl_comms_core.errors import CommsError, DecodeError
from dcl_comms_core.identity.auth_chain import AuthChain
from dcl_comms_core.identity.guard import ChallengeGuard
from dcl_comms_core.limits import Limits
from dcl_comms_core.proto import pulse, rfc4
from dcl_comms_core.pulse.areas import ScenesOnly
from dcl_comms_core.pulse.session import PulseSession
from dcl_comms_core.pulse.subjects import Subjects
from dcl_comms_core.states import PULSE_WAITS, CloseReason, PulseState
from fuzz.enet_line import Broken
from fuzz.enet_play import forge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["STEPS", "PulseHits", "forged", "play", "service"]

STEPS: Final = 150
"""Of each half."""
_UNIX: Final = 1_700_000_000.0
_WALLETS: Final = tuple(f"0x{number:040x}" for number in range(1, 5))
_EDGES: Final = (0, 0, 0, 1, 1, 2, 3, 127, 128, 255, 256, 1 << 17, (1 << 31) - 1, 1 << 31, (1 << 32) - 1)
_SIGNED: Final = (0, 1, 1, 48_488, 48_489, 99_533, 99_534, -1, (1 << 31) - 1, -(1 << 31))
_TEXTS: Final = ("", "main", "MAIN", "w.dcl.eth", "wave", "a b", "\n", "x" * 300, "\N{GRINNING FACE}")
_SOME: Final = ("velocity_x", "rotation_y", "movement_blend", "slide_blend", "head_yaw", "head_pitch", "point_at_x")
_REASONS: Final = tuple(pulse.EmoteStopReason)
_PLACES: Final = (0.0, 8.0, -2_000.0, 3e38, float("nan"))
_FEW: Final = (0, 0, 1, 2, 3, 4, 5)


class PulseHits:
    """What was reached: rows of the table of transitions, and events by kind."""

    def __init__(self) -> None:
        self.rows: set[Any] = set()
        self.told: set[str] = set()


# --- what a service says


def _state(rng: Random) -> pulse.PlayerState | None:
    if rng.random() < 0.05:
        return None
    state = pulse.PlayerState(
        rng.choice((48_488, 48_489, 48_807)), rng.randrange(256), rng.randrange(8_192), rng.randrange(256)
    )
    for name in (
        "velocity_x",
        "rotation_y",
        "movement_blend",
        "slide_blend",
        "head_yaw",
        "head_pitch",
        "point_at_x",
        "point_at_y",
    ):
        if rng.random() < 0.2:
            setattr(state, name, rng.choice(_EDGES[:-3]) if rng.random() < 0.1 else rng.randrange(16))
    state.state_flags = rng.choice((0, 1, 33, 225, 1 << 31))
    state.jump_count = rng.choice(_SIGNED) if rng.random() < 0.1 else rng.randrange(4)
    if rng.random() < 0.05:
        state.parcel_index = rng.choice(_SIGNED)
    return state


def _full(rng: Random) -> pulse.PlayerStateFull:
    return pulse.PlayerStateFull(rng.choice(_FEW), _sequence(rng), rng.choice(_EDGES), _state(rng))


def _sequence(rng: Random) -> int:
    return rng.choice(_EDGES) if rng.random() < 0.1 else rng.randrange(6)


def _delta(rng: Random) -> pulse.PlayerStateDeltaTier0:
    before = _sequence(rng)
    after = before + 1 if rng.random() < 0.8 and before < _EDGES[-1] else _sequence(rng)
    delta = pulse.PlayerStateDeltaTier0(rng.choice(_FEW), before, after, rng.choice(_EDGES))
    for name in list(delta.__dataclass_fields__)[4:]:
        if rng.random() < 0.25:
            odd = rng.random() < 0.05
            if name == "glide_state":
                delta.glide_state = pulse.GlideState(rng.choice((0, 1, 2, 3, 9 if odd else 0)))
            elif name in {"parcel_index", "jump_count"}:
                setattr(delta, name, rng.choice(_SIGNED) if odd else rng.randrange(48_480, 48_490))
            else:
                setattr(delta, name, rng.choice(_EDGES) if odd else rng.randrange(16))
    return delta


def service(rng: Random) -> pulse.ServerMessage:
    """Anything that a service says of somebody."""
    kind, number = rng.randrange(12), rng.choice(_FEW)
    text = rng.choice(_TEXTS)
    if kind < 2:
        user = rng.choice(_WALLETS) if rng.random() < 0.95 else text
        joined = pulse.PlayerJoined(user, rng.choice(_SIGNED), _full(rng), rng.choice(_TEXTS[:4]))
        return pulse.ServerMessage(player_joined=joined)
    if kind < 7:
        return pulse.ServerMessage(player_state_delta=_delta(rng))
    sequence, tick = _sequence(rng), rng.choice(_EDGES)
    made: tuple[Callable[[], pulse.ServerMessage], ...] = (
        lambda: pulse.ServerMessage(player_left=pulse.PlayerLeft(number)),
        lambda: pulse.ServerMessage(player_state_full=_full(rng)),
        lambda: pulse.ServerMessage(
            emote_started=pulse.EmoteStarted(number, sequence, tick, text, _state(rng), rng.choice((None, *_SIGNED)))
        ),
        lambda: pulse.ServerMessage(
            emote_stopped=pulse.EmoteStopped(number, tick, rng.choice(_REASONS), sequence, _state(rng))
        ),
        lambda: rng.choice((
            pulse.ServerMessage(teleported=pulse.TeleportPerformed(number, sequence, tick, _state(rng), text)),
            pulse.ServerMessage(
                player_profile_version_announced=pulse.PlayerProfileVersionsAnnounced(number, rng.choice(_SIGNED))
            ),
        )),
    )  # fmt: skip
    return made[kind - 7]()


def forged(rng: Random, message: pulse.ServerMessage) -> bytes:
    """Its bytes; of every fourth one some are changed, missing, or too many."""
    data = bytearray(encode(message))
    way = rng.random()
    if way < 0.1 and data:
        data[rng.randrange(len(data))] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
    elif way < 0.15:
        del data[rng.randrange(len(data) + 1) :]
    elif way < 0.2:
        data += rng.randbytes(rng.choice((1, 3, 40)))
    elif way < 0.25:
        data = bytearray(rng.randbytes(rng.choice((0, 1, 5, 60, 5_000))))
    return bytes(data)


# --- what has to hold


class _Ears:
    """Whoever is told of has joined, and not left since."""

    def __init__(self, limits: Limits, hits: PulseHits) -> None:
        self._here: set[str] = set()
        self._limits = limits
        self._hits = hits
        self._digest = hashlib.sha256()

    def hear(self, events: Iterable[ev.Event]) -> None:
        for event in events:
            self._hits.told.add(type(event).__name__)
            self._digest.update(repr(event).encode())
            who: Any = getattr(event, "sender", None)
            if isinstance(event, ev.PeerJoined):
                if event.sender.key in self._here:
                    raise Broken("somebody joined who is there")
                self._here.add(event.sender.key)
            elif isinstance(event, ev.PeerLeft):
                if event.sender.key not in self._here:
                    raise Broken("somebody left who is not there")
                self._here.remove(event.sender.key)
            elif isinstance(event, ev.PeerMoved | ev.PeerEmoted | ev.ProfileAnnounced) and who.key not in self._here:
                raise Broken(f"{type(event).__name__} of somebody who is not there")
            if len(self._here) > self._limits.peers:
                raise Broken("more are told of than may be")

    def add(self, data: bytes) -> None:
        self._digest.update(data)

    @property
    def digest(self) -> str:
        return self._digest.hexdigest()


def _subjects(rng: Random, limits: Limits, ears: _Ears, steps: int) -> None:
    """Subjects alone."""
    subjects, now = Subjects(limits), 0.0
    for _ in range(steps * 4):
        now += rng.choice((0.0, 0.01, 0.3, 1.1))
        try:
            message = decode_message(pulse.ServerMessage, forged(rng, service(rng)), limits=limits)
        except DecodeError:
            continue
        ears.hear(subjects.take(message, now))
        if rng.random() < 0.02:
            ears.hear(subjects.set_realm(rng.choice((None, *_TEXTS[:4])), now))
        if len(subjects) > limits.pulse_subjects:
            raise Broken("more subjects are kept than may be")
        for request in subjects.resyncs(now):
            ears.add(encode(request))
        due = subjects.deadline()
        if due is not None and due <= now:
            raise Broken("a request is due and is not made")
    ears.hear(subjects.forget(now))


class _Session:
    """A session, a service and the line between them."""

    def __init__(self, rng: Random, limits: Limits, ears: _Ears, hits: PulseHits) -> None:
        self.rng = rng
        self.ears = ears
        self.hits = hits
        self.now = 100.0
        self.options = EnetOptions(sent_time_flag=FORK_FLAG)
        self.scenes = ScenesOnly((0, 0, 3, 3)) if rng.random() < 0.3 else None
        self.session = PulseSession(
            "pulse.test",
            address=_WALLETS[0],
            scenes=self.scenes,
            guard=ChallengeGuard() if rng.random() < 0.05 else None,
            limits=limits,
            entropy=rng.randrange(1 << 32),
            enet=self.options,
        )
        self.session.receive(inputs.ClockSet(unix_offset=_UNIX - self.now), now=self.now)
        self.host = EnetHost(entropy=rng.randrange(1 << 32), options=self.options)
        self.peer: Any = None
        self.asked: ev.SignatureNeeded | None = None
        self.captured: list[bytes] = []
        self.loss = 0.0

    def run(self, steps: int) -> None:
        often = (self.says, self.waits) * 6 + (self.answers, self.welcomes) * 4 + (self.forges, self.moves) * 2
        seldom = (self.refuses, self.ends, self.network, self.network, self.verb, self.silence)
        self.tries(lambda: self.session.set_realm("main", now=self.now))
        if self.rng.random() < 0.95:
            self.tries(lambda: self.session.open(now=self.now))
        for _ in range(steps):
            self.rng.choice(often + seldom)()
            self.turn()
        self.session.close(now=self.now)
        self.session.close(now=self.now)
        self.loss = 1.0
        for _ in range(4):
            self.pass_time(5.0)
        if self.session.state is not PulseState.CLOSED:
            raise Broken(f"it is {self.session.state.value} long after close()")

    # --- the line

    def turn(self) -> None:
        """Whatever waits, on both sides, arrives or is lost."""
        session, host = self.session, self.host
        for _ in range(20):
            commands = session.commands()
            for command in commands:
                if isinstance(command, SendDatagram):
                    self.captured = [*self.captured[-30:], command.data]
                    if self.rng.random() >= self.loss:
                        host.receive(command.data, command.link, now=self.now)
                elif isinstance(command, OpenDatagrams):
                    if self.rng.random() < 0.7:
                        session.receive(inputs.DatagramsOpened(link=command.link), now=self.now)
                elif self.rng.random() < 0.8:
                    session.receive(inputs.DatagramsClosed(link=command.link, reason=CloseReason.CLIENT), now=self.now)
            for event in host.events():
                if isinstance(event, EnetConnected):
                    self.peer = event.peer
                elif isinstance(event, EnetDisconnected) and event.peer is self.peer:
                    self.peer = None
            datagrams = host.datagrams(now=self.now)
            for link, data in datagrams:
                self.captured = [*self.captured[-30:], data]
                if self.rng.random() >= self.loss:
                    session.receive(inputs.DatagramReceived(link=link, data=data), now=self.now)  # type: ignore[arg-type]
            events = session.events()
            for event in events:
                if isinstance(event, ev.SignatureNeeded):
                    self.asked = event
            self.ears.hear(events)
            if not commands and not datagrams and not events:
                self.look()
                return
        raise Broken("it never rests")

    def look(self) -> None:
        """Whoever waits has a deadline, of those that the table names."""
        session = self.session
        bound, deadline = PULSE_WAITS[session.state], session.deadline()
        if isinstance(bound, str):
            if deadline is not None:
                raise Broken(f"{session.state.value} has a deadline")
        elif deadline is None or not session.timers.keys() & set(bound):
            raise Broken(f"{session.state.value} waits for ever")

    def pass_time(self, seconds: float) -> None:
        end = self.now + seconds
        for _ in range(2_000):
            times = [when for when in (self.session.deadline(), self.host.deadline()) if when is not None]
            self.now = max(self.now, min([end, *times]))
            self.session.handle_timeout(self.now)
            self.host.handle_timeout(self.now)
            self.turn()
            if self.now >= end:
                return
        raise Broken("time stands still")

    # --- deeds

    def says(self) -> None:
        for _ in range(self.rng.choice((1, 5, 20))):
            if self.peer is not None and self.peer.open:
                delivery = self.rng.choice((Delivery.RELIABLE, Delivery.UNRELIABLE))
                self.peer.send(forged(self.rng, service(self.rng)), channel=self.rng.randrange(3), delivery=delivery)

    def welcomes(self) -> None:
        self._handshake(success=True)

    def refuses(self) -> None:
        self._handshake(success=False)

    def _handshake(self, *, success: bool) -> None:
        if self.peer is not None and self.peer.open:
            response = pulse.HandshakeResponse(success, None if success else self.rng.choice(_TEXTS))
            self.peer.send(encode(pulse.ServerMessage(handshake=response)))

    def ends(self) -> None:
        if self.peer is not None and self.rng.random() < 0.3:
            way = self.rng.choice(("disconnect", "disconnect_now"))
            getattr(self.peer, way)(self.rng.choice((*range(24), (1 << 32) - 1)))

    def waits(self) -> None:
        self.pass_time(self.rng.choice((0.0, 0.02, 0.1, 0.5, 2.0, 20.0)))

    def silence(self) -> None:
        self.loss = self.rng.choice((0.0, 0.0, 0.0, 0.3, 1.0))

    def answers(self) -> None:
        asked = self.asked
        if asked is None:
            return
        if self.rng.random() < 0.05:
            self.session.refuse_signature(asked.request, "no", now=self.now)
            return
        payload = asked.payload if self.rng.random() < 0.95 else "another"
        chain = AuthChain.from_json(
            f'[{{"type":"SIGNER","payload":"{_WALLETS[0]}","signature":""}},'
            f'{{"type":"ECDSA_SIGNED_ENTITY","payload":"{payload}","signature":"0x{"11" * 64}1b"}}]'
        )
        self.tries(lambda: self.session.provide_signature(asked.request, chain, now=self.now))

    def forges(self) -> None:
        rng = self.rng
        heads = [int.from_bytes(data[:2], "big") & 0x3FFF for data in self.captured[-6:]] or [0]
        data = forge(rng, self.captured, self.options.sent_time_flag, heads)
        self.session.receive(inputs.DatagramReceived(link=self.session.link, data=data), now=self.now)

    def network(self) -> None:
        rng, link = self.rng, self.session.link
        old = type(link)(link.link, max(link.generation - 1, 0))
        news: tuple[inputs.Input, ...] = (
            inputs.DatagramRefused(link=rng.choice((link, old)), detail=rng.choice(_TEXTS)),
            inputs.DatagramsOpened(link=rng.choice((link, old))),
            inputs.DatagramsClosed(link=rng.choice((link, old)), reason=rng.choice(tuple(CloseReason)), detail="x"),
            inputs.PacketsDropped(link=link, count=3),
            inputs.LinkClosed(link=link, reason=CloseReason.NETWORK),
        )
        if rng.random() < 0.4:
            self.session.receive(rng.choice(news), now=self.now)

    def moves(self) -> None:
        rng = self.rng
        place = [
            rng.choice((0.0, 8.0, -2_000.0, 3e38, float("nan"))) if rng.random() < 0.2 else rng.uniform(-50, 50)
            for _ in range(3)
        ]
        movement = rfc4.Movement(0.0, *place, is_instant=rng.random() < 0.2)
        self.tries(
            lambda: self.session.send_bytes(encode(rfc4.Packet(movement=movement, protocol_version=100)), now=self.now)
        )

    def verb(self) -> None:
        rng, session, now = self.rng, self.session, self.now
        emote = rfc4.PlayerEmote(1, rng.choice(_TEXTS), 0.0, is_stopping=rng.choice((None, True)))
        emote.mask = rng.choice((None, 0, (1 << 32) - 1))
        seconds = rng.choice((None, 0.5, -1.0, 1e9, float("nan")))
        verbs: tuple[Callable[[], object], ...] = (
            lambda: session.set_realm(rng.choice((None, *_TEXTS)), now=now),
            lambda: session.set_position((rng.uniform(-50, 50), 0.0, 0.0), now=now),
            lambda: session.show_emote(emote, seconds, now=now),
            lambda: session.set_areas(ScenesOnly((rng.randrange(-150, 150), 0)), now=now),
            lambda: session.send_bytes(rng.randbytes(rng.randrange(30)), now=now),
            lambda: session.send_bytes(encode(rfc4.Packet(profile_version=rfc4.AnnounceProfileVersion(7))), now=now),
            lambda: session.open(now=now),
            lambda: session.close(now=now, drain=rng.choice((None, 0.0))) if rng.random() < 0.2 else None,
        )
        self.tries(rng.choice(verbs))

    def tries(self, act: Callable[[], object]) -> None:
        """A caller's misuse is told by an error that is documented."""
        try:
            act()
        except CommsError as error:
            self.hits.told.add(type(error).__name__)


def play(seed: int, hits: PulseHits, *, steps: int = STEPS) -> str:
    """Play a seed; a digest of all that was told."""
    rng = Random(seed)
    limits = Limits(
        pulse_subjects=rng.choice((2, 4, 4_096)),
        peers=rng.choice((1, 3, 1_000)),
        pulse_name_chars=rng.choice((50, 255)),
        enet_send_bytes=rng.choice((2_000, 1_048_576)),
    )
    ears = _Ears(limits, hits)
    _subjects(rng, limits, ears, steps)
    _Session(rng, limits, ears, hits).run(steps)
    return ears.digest
