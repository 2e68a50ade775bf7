"""A SignalSession on a virtual clock, with scripted peers: what a server says, and what comes of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeVar

from rigs.core.room import livekit as adapter_of

from dcl_comms_core.adapters.url_guard import Place
from dcl_comms_core.codec import decode_message, encode
from dcl_comms_core.commands import OpenPort, OpenSocket, SendData, SendFrame
from dcl_comms_core.inputs import (
    DatagramsReceived,
    FrameReceived,
    LinkRef,
    PortOpened,
    SocketClosed,
    SocketOpened,
)
from dcl_comms_core.livekit.session import SignalSession
from dcl_comms_core.proto import livekit
from dcl_comms_core.states import CloseReason
from dcl_comms_core.states.livekit import SIGNAL_WAITS, SignalState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dcl_comms_core.livekit.webrtc import Address, Channel, Happening, Output

T = TypeVar("T")

LINK = LinkRef(7, 3)
HERE = ("10.0.0.7", 40_000)
THERE = ("10.0.0.1", 7_882)
UDP = f"candidate:1 1 udp 2130706431 {THERE[0]} {THERE[1]} typ host"
TCP = f"candidate:2 1 tcp 1671430143 {THERE[0]} 7881 typ host tcptype passive"
INFO = {"identity": "me", "sid": "PA_me", "version": 1}


class FakePeer:
    """A WebRtcPeer that does as it is told."""

    def __init__(self, now: float) -> None:
        self.born = now
        self.calls: list[tuple[Any, ...]] = []
        self.sent: list[tuple[int, bytes]] = []
        self.held: dict[int, int] = {}
        """Bytes that are not acknowledged, by channel."""
        self.reads = True
        """Whether the other side closes a channel that is closed here, and at once."""
        self.room = 1_000_000
        self.wakes: float | None = None
        self.faults: dict[str, Exception] = {}
        """What a method raises."""
        self._count = 0
        self._happenings: list[Happening] = []
        self._datagrams: list[Any] = []

    def tell(self, *happenings: tuple[Any, ...]) -> None:
        """Have this happen by the next call that gives output."""
        self._happenings += [(*one, None, None)[:3] for one in happenings]  # type: ignore[misc]

    def give(self, *datagrams: Any) -> None:
        self._datagrams += datagrams

    def _called(self, name: str, *arguments: Any) -> None:
        self.calls.append((name, *arguments))
        if name in self.faults:
            raise self.faults[name]

    def _output(self) -> Output:
        happenings, self._happenings = self._happenings, []
        datagrams, self._datagrams = self._datagrams, []
        return datagrams, happenings, self.wakes

    def add_local(self, local: Address, protocol: str = "udp") -> str:
        self._called("add_local", local, protocol)
        return "candidate:"

    def add_remote(self, candidate: str) -> None:
        self._called("add_remote", candidate)

    def offer(self, channels: Sequence[Channel] = (), *, restart: bool = False) -> tuple[str | None, list[int]]:
        self._called("offer", tuple(channels), restart)
        numbers = list(range(self._count, self._count + len(channels)))
        self._count += len(channels)
        return "v=0 offer", numbers

    def accept_answer(self, sdp: str) -> None:
        self._called("accept_answer", sdp)

    def accept_offer(self, sdp: str) -> str:
        self._called("accept_offer", sdp)
        return "v=0 answer"

    def receive(
        self, datagrams: Sequence[bytes], remote: Address, local: Address, now: float, protocol: str = "udp"
    ) -> Output:
        self._called("receive", tuple(datagrams), remote, local, now, protocol)
        return self._output()

    def handle_timeout(self, now: float) -> Output:
        self._called("handle_timeout", now)
        return self._output()

    def poll(self) -> Output:
        self._called("poll")
        return self._output()

    def send(self, messages: Sequence[tuple[int, bytes]], now: float) -> tuple[int, Output]:
        self._called("send", len(messages), now)
        taken = 0
        for channel, message in messages:
            if sum(self.held.values()) + len(message) > self.room:
                break
            self.held[channel] = self.held.get(channel, 0) + len(message)
            self.sent.append((channel, message))
            taken += 1
        return taken, self._output()

    def buffered(self, channel: int) -> int:
        self._called("buffered", channel)
        return self.held.get(channel, 0)

    def close_channel(self, channel: int, now: float) -> Output:
        self._called("close_channel", channel, now)
        if self.reads:
            self.tell(("close", channel))
        return self._output()

    def close(self) -> Output:
        self._called("close")
        return self._output()


def info(identity: str, **fields: Any) -> livekit.ParticipantInfo:
    """Somebody, active and in his first session unless told otherwise."""
    values = {"sid": f"PA_{identity}", "version": 1, "state": livekit.ParticipantState.ACTIVE, "joined_at": 1}
    return livekit.ParticipantInfo(identity=identity, **{**values, **fields})


def trickle(candidate: object = UDP, target: livekit.SignalTarget = livekit.SignalTarget.PUBLISHER) -> dict[str, Any]:
    text = json.dumps({"candidate": candidate, "sdpMid": "0", "sdpMLineIndex": 0})
    return {"trickle": livekit.TrickleRequest(candidate_init=text, target=target)}


def packet(data: bytes = b"x", **fields: Any) -> bytes:
    """What a channel brings."""
    topic = fields.pop("topic", None)
    values = {"participant_identity": "a", "participant_sid": "PA_a"}
    return encode(livekit.DataPacket(user=livekit.UserPacket(payload=data, topic=topic), **{**values, **fields}))


class SignalRig:
    """One session, its sockets and ports, what it asked for and told."""

    def __init__(self, **options: Any) -> None:
        self.adapter = options.pop("adapter", None) or adapter_of()
        self.secret = self.adapter.token.reveal()
        self.now = 100.0
        self.peers: list[FakePeer] = []
        self.faults: dict[str, Exception] = {}
        """What each new peer raises."""
        self.session = SignalSession(self.adapter, link=LINK, new_peer=self._new_peer, **options)
        self.commands: list[Any] = []
        self.news: list[Any] = []
        self.socket: LinkRef | None = None
        self.lines: list[LinkRef] = []
        """Ports that are there."""
        self.states = {self.session.state}

    def _new_peer(self, now: float) -> FakePeer:
        self.peers.append(FakePeer(now))
        self.peers[-1].faults = dict(self.faults)
        return self.peers[-1]

    @property
    def peer(self) -> FakePeer:
        """The one that we send through."""
        return self.peers[-1]

    @property
    def state(self) -> SignalState:
        return self.session.state

    def turn(self) -> SignalRig:
        """Take what came of the last call."""
        for command in self.session.commands():
            self.commands.append(command)
            if isinstance(command, OpenSocket):
                self.socket = command.link
        self.news += self.session.news()
        self.states.add(self.state)
        bound = SIGNAL_WAITS[self.state]
        if isinstance(bound, tuple):
            running = self.session.timers
            assert any(timer in running for timer in bound), (self.state, running)
            deadline = self.session.deadline()
            assert deadline is not None
            assert deadline <= min(running.values())
        return self

    def take(self, kind: type[T]) -> list[T]:
        """The commands of a kind since the last look, all others too."""
        found = [command for command in self.commands if isinstance(command, kind)]
        self.commands.clear()
        return found

    def requests(self) -> list[livekit.SignalRequest]:
        """What was said to the server since the last look."""
        return [decode_message(livekit.SignalRequest, frame.data) for frame in self.take(SendFrame)]

    def told(self, kind: type[T]) -> list[T]:
        """The news of a kind, all of them ever."""
        return [one for one in self.news if isinstance(one, kind)]

    # --- inputs

    def give(self, inp: Any) -> SignalRig:
        self.session.receive(inp, now=self.now)
        return self.turn()

    def do(self, command: Any) -> SignalRig:
        self.session.execute(command, now=self.now)
        return self.turn()

    def pass_time(self, seconds: float) -> SignalRig:
        """Let time pass, as a host does: each deadline in turn."""
        end = self.now + seconds
        for _ in range(10_000):
            due = self.session.deadline()
            if due is None or due > end:
                break
            self.now = max(self.now, due)
            self.session.handle_timeout(self.now)
            self.turn()
        else:
            raise AssertionError("it never waits")
        self.now = end
        self.session.handle_timeout(end)
        return self.turn()

    def begin(self) -> SignalRig:
        self.session.open(now=self.now)
        return self.turn()

    def connect(self, place: Place = Place.PRIVATE) -> SignalRig:
        assert self.socket is not None
        return self.give(SocketOpened(link=self.socket, place=place))

    def hang_up(self, **fields: Any) -> SignalRig:
        assert self.socket is not None
        return self.give(SocketClosed(link=self.socket, **{"reason": CloseReason.NETWORK, **fields}))

    def say(self, **response: Any) -> SignalRig:
        assert self.socket is not None
        data = encode(livekit.SignalResponse(**response))
        return self.give(FrameReceived(link=self.socket, data=data))

    def update(self, *infos: livekit.ParticipantInfo) -> SignalRig:
        return self.say(update=livekit.ParticipantUpdate(participants=list(infos)))

    def message(self, data: bytes, channel: int = 0) -> SignalRig:
        """A message comes on a channel."""
        return self.happen(("data", channel, data))

    def send(self, token: int = 1, data: bytes = b"x", **fields: Any) -> SignalRig:
        values = {"to": None, "reliable": True, **fields}
        return self.do(SendData(link=LINK, token=token, data=data, **values))

    # --- on the way in

    def join(self, *others: livekit.ParticipantInfo, **fields: Any) -> SignalRig:
        """The server lets us in."""
        values = {
            "room": livekit.Room(name="I1", sid="RM_1", metadata="m"),
            "participant": livekit.ParticipantInfo(**INFO),
            "other_participants": list(others),
            "ping_interval": 5,
            "ping_timeout": 15,
        }
        return self.say(join=livekit.JoinResponse(**{**values, **fields}))

    def joined(self, *others: livekit.ParticipantInfo, **fields: Any) -> SignalRig:
        self.begin().connect()
        return self.join(*others, **fields)

    def answer(self, number: int = 1) -> SignalRig:
        self.say(answer=livekit.SessionDescription(type="answer", sdp="v=0 theirs", id=number))
        return self.say(**trickle())

    def ports(self) -> SignalRig:
        """All ports that were asked for are there."""
        for command in self.take(OpenPort):
            self.lines.append(command.link)
            self.give(PortOpened(link=command.link, local=(HERE[0], HERE[1] + len(self.lines))))
        return self

    def happen(self, *happenings: tuple[Any, ...], peer: FakePeer | None = None) -> SignalRig:
        """Something happens with a peer, by a datagram that comes to its port."""
        (peer or self.peer).tell(*happenings)
        for port in self.lines:
            self.datagrams(port, b"")
        return self

    UP = (("ice-checking",), ("ice-completed",), ("connected",), ("open", 0, "_reliable"), ("open", 1, "_lossy"))

    def opened(self, *others: livekit.ParticipantInfo, **fields: Any) -> SignalRig:
        """In the room."""
        self.joined(*others, **fields).answer().ports()
        self.happen(*self.UP)
        assert self.state is SignalState.OPEN
        self.commands.clear()
        return self

    def datagrams(self, port: LinkRef, *datagrams: bytes) -> SignalRig:
        return self.give(DatagramsReceived(link=port, remote=THERE, datagrams=list(datagrams)))


class TwoRig(SignalRig):
    """With a server that knows only two connections."""

    def joined(self, *others: livekit.ParticipantInfo, **fields: Any) -> SignalRig:
        self.begin().hang_up(status=404)
        self.connect()
        return self.join(*others, **{"subscriber_primary": True, **fields})

    def offered(self, number: int = 1) -> SignalRig:
        """The server offers the connection that we receive by."""
        sdp = f"v=0 theirs\r\na=ice-ufrag:{number}\r\n"
        return self.say(offer=livekit.SessionDescription(type="offer", sdp=sdp, id=number))

    @property
    def peer(self) -> FakePeer:
        return self.peers[1]

    @property
    def into(self) -> FakePeer:
        return self.peers[2]

    IN = (
        ("ice-checking",),
        ("ice-completed",),
        ("open", 0, "_reliable"),
        ("open", 1, "_lossy"),
        ("open", 2, "_data_track"),
    )

    def opened(self, *others: livekit.ParticipantInfo, **fields: Any) -> SignalRig:
        self.joined(*others, **fields)
        self.offered().answer().say(**trickle(target=livekit.SignalTarget.SUBSCRIBER)).ports()
        self.happen(*self.UP)
        assert self.state is SignalState.CONNECTING
        self.happen(*self.IN, peer=self.into)
        assert self.state is SignalState.OPEN
        self.commands.clear()
        return self
