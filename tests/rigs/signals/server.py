"""A small LiveKit server on a virtual clock, over the real engine and a network that loses, doubles and reorders.

It knows rooms of one kind: whoever joins hears everybody else.  ``two``: it knows only the way of two connections.
``replays``: as one whose rooms move between machines, it sends nothing reliable to whom it does not hear, and after a
resume all that comes after the numbers which he says that he has.
"""

from __future__ import annotations

import base64
import heapq
import json
import random
from itertools import count
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from rigs.core.room import livekit as adapter_of

from dcl_comms_core.adapters.url_guard import Place
from dcl_comms_core.codec import decode_message, encode
from dcl_comms_core.commands import ClosePort, CloseSocket, OpenPort, OpenSocket, SendDatagrams, SendFrame
from dcl_comms_core.inputs import (
    DatagramsReceived,
    FrameReceived,
    LinkRef,
    PortOpened,
    SocketClosed,
    SocketOpened,
)
from dcl_comms_core.livekit.labels import CHANNELS
from dcl_comms_core.livekit.session import SignalSession
from dcl_comms_core.proto import livekit
from dcl_comms_core.states import CloseReason

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.inputs import LinkInput
    from dcl_comms_core.livekit.arrivals import Arrived

Address = tuple[str, int]
SERVER = "10.0.0.1"
LATENCY = 0.01


class Network:
    """Who is where, and what is on its way.  Datagrams may come late, twice or never; frames come in order."""

    def __init__(self, seed: int, *, loss: float = 0.1, twice: float = 0.05) -> None:
        self.luck = random.Random(seed)
        self.loss = loss
        self.twice = twice
        self.down = False
        self.now = 0.0
        self.bound: dict[Address, Callable[[Address, bytes], None]] = {}
        self.hosts: list[Any] = []
        """Whoever has a deadline."""
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._count = count()

    def after(self, seconds: float, work: Callable[[], None]) -> None:
        heapq.heappush(self._queue, (self.now + seconds, next(self._count), work))

    def send(self, source: Address, to: Address, datagram: bytes) -> None:
        if self.down or self.luck.random() < self.loss:
            return
        for _ in range(2 if self.luck.random() < self.twice else 1):
            self.after(LATENCY + self.luck.random() * 0.03, lambda: self._arrive(source, to, datagram))

    def _arrive(self, source: Address, to: Address, datagram: bytes) -> None:
        take = self.bound.get(to)
        if take is not None and not self.down:
            take(source, datagram)

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Let time pass, up to so much; True: ``until`` came true."""
        end = self.now + seconds
        while not until():
            due = [deadline for host in self.hosts if (deadline := host.deadline()) is not None]
            when = min([*due, *(one[0] for one in self._queue[:1])], default=end)
            if when > end:
                self.now = end
                return until()
            self.now = max(self.now, when)
            while self._queue and self._queue[0][0] <= self.now:
                heapq.heappop(self._queue)[2]()
            for host in self.hosts:
                deadline = host.deadline()
                if deadline is not None and deadline <= self.now:
                    host.handle_timeout(self.now)
        return True


class Client:
    """A SignalSession and its host."""

    def __init__(self, server: Server, name: str, new_peer: Any, **options: Any) -> None:
        self.server = server
        self.net = server.net
        self.name = name
        self.news: list[LinkInput | Arrived] = []
        adapter = adapter_of(identity=name)
        self.session = SignalSession(adapter, link=LinkRef(1, 1), new_peer=new_peer, **options)
        self.ports: dict[LinkRef, Address] = {}
        self.sockets: dict[LinkRef, Stay | None] = {}
        self.dials = 0
        self.net.hosts.append(self)

    def deadline(self) -> float | None:
        return self.session.deadline()

    def handle_timeout(self, now: float) -> None:
        self.session.handle_timeout(now)
        self.turn()

    def open(self) -> None:
        self.session.open(now=self.net.now)
        self.turn()

    def do(self, command: Any) -> None:
        self.session.execute(command, now=self.net.now)
        self.turn()

    def give(self, inp: Any) -> None:
        self.session.receive(inp, now=self.net.now)
        self.turn()

    def told(self, kind: type[Any]) -> list[Any]:
        return [one for one in self.news if isinstance(one, kind)]

    def turn(self) -> None:
        for command in self.session.commands():
            match command:
                case OpenSocket():
                    self.dials += 1
                    self.sockets[command.link] = None
                    self.net.after(LATENCY, lambda command=command: self.server.dial(self, command))
                case SendFrame():
                    stay = self.sockets[command.link]
                    assert stay is not None
                    self.net.after(LATENCY, lambda stay=stay, command=command: stay.hear(command.link, command.data))
                case CloseSocket():
                    self.sockets.pop(command.link, None)
                case OpenPort():
                    local = (f"10.0.1.{self.server.number()}", 4_000)
                    self.ports[command.link] = local
                    self.net.bound[local] = lambda source, datagram, link=command.link: self.give(
                        DatagramsReceived(link=link, remote=source, datagrams=[datagram])
                    )
                    self.net.after(0.0, lambda link=command.link, local=local: self._port(link, local))
                case SendDatagrams():
                    for datagram in command.datagrams:
                        self.net.send(self.ports[command.link], command.to, datagram)
                case ClosePort():
                    del self.net.bound[self.ports.pop(command.link)]
                case _:
                    raise AssertionError(command)
        self.news += self.session.news()

    def _port(self, link: LinkRef, local: Address) -> None:
        if link in self.ports:
            self.give(PortOpened(link=link, local=local))


class End:
    """The server's side of one peer connection."""

    def __init__(self, server: Server, new_peer: Any, heard: Callable[[int, bytes], None]) -> None:
        self.net = server.net
        self.peer = new_peer(self.net.now)
        self.address = (SERVER, 10_000 + server.number())
        self.candidate = self.peer.add_local(self.address)
        self.heard = heard
        self.labels: dict[int, str] = {}
        self.waiting: list[tuple[str, bytes]] = []
        self._deadline: float | None = None
        self.net.bound[self.address] = self._receive
        self.net.hosts.append(self)

    def deadline(self) -> float | None:
        return self._deadline

    def _receive(self, source: Address, datagram: bytes) -> None:
        self.take(self.peer.receive([datagram], source, self.address, self.net.now))

    def handle_timeout(self, now: float) -> None:
        self.take(self.peer.handle_timeout(now))

    def take(self, output: Any) -> None:
        datagrams, events, self._deadline = output
        for (_, source, to), datagram in datagrams:
            self.net.send(source, to, datagram)
        for kind, channel, detail in events:
            if kind == "open":
                self.labels[channel] = detail
            elif kind == "data":
                self.heard(channel, detail)
        self.flush()

    def send(self, label: str, message: bytes) -> None:
        self.waiting.append((label, message))
        self.flush()

    def flush(self) -> None:
        numbers = {label: number for number, label in self.labels.items()}
        while self.waiting and len(numbers) == len(CHANNELS):
            label, message = self.waiting[0]
            taken, output = self.peer.send([(numbers[label], message)], self.net.now)
            if taken:
                self.waiting.pop(0)
            self.take_again(output)
            if not taken:
                return

    def take_again(self, output: Any) -> None:
        datagrams, events, self._deadline = output
        for (_, source, to), datagram in datagrams:
            self.net.send(source, to, datagram)
        assert not [one for one in events if one[0] in {"data", "open"}]


class Stay:
    """One participant, as the server knows him."""

    def __init__(self, server: Server, client: Client) -> None:
        self.server = server
        self.client = client
        self.net = server.net
        self.sid = f"PA_{client.name}{server.number()}"
        self.link: LinkRef | None = None
        self.hears = True
        """Whether he said what he has since he came back."""
        self.synced: list[livekit.SyncState] = []
        self.last = 0
        self.left = False
        self.up = End(server, server.new_peer, self._heard)
        self.down = self.up

    def info(self, **fields: Any) -> livekit.ParticipantInfo:
        state = livekit.ParticipantState.ACTIVE
        return livekit.ParticipantInfo(**{"identity": self.client.name, "sid": self.sid, "state": state, **fields})

    def say(self, **response: Any) -> None:
        link = self.link
        if link is not None:
            data = encode(livekit.SignalResponse(**response))
            self.net.after(LATENCY, lambda: self._frame(link, data))

    def _frame(self, link: LinkRef, data: bytes) -> None:
        if link in self.client.sockets:
            self.client.give(FrameReceived(link=link, data=data))

    def trickle(self, end: End) -> None:
        target = livekit.SignalTarget.PUBLISHER if end is self.up else livekit.SignalTarget.SUBSCRIBER
        init = json.dumps({"candidate": end.candidate, "sdpMid": "0", "sdpMLineIndex": 0})
        self.say(trickle=livekit.TrickleRequest(candidate_init=init, target=target, final=True))

    def take_offer(self, offer: livekit.SessionDescription) -> None:
        answer = self.up.peer.accept_offer(offer.sdp)
        self.up.take(self.up.peer.poll())
        self.say(answer=livekit.SessionDescription(type="answer", sdp=answer, id=offer.id))
        self.trickle(self.up)

    def offer(self, *, restart: bool) -> None:
        if self.down is self.up:
            self.down = End(self.server, self.server.new_peer, self._heard)
        sdp, _ = self.down.peer.offer(() if restart else CHANNELS, restart=restart)
        self.say(offer=livekit.SessionDescription(type="offer", sdp=sdp, id=self.server.number()))
        self.trickle(self.down)

    def hear(self, link: LinkRef, data: bytes) -> None:
        if link != self.link:
            return
        request = decode_message(livekit.SignalRequest, data)
        if request.offer is not None:
            self.take_offer(request.offer)
        elif request.answer is not None:
            self.down.peer.accept_answer(request.answer.sdp)
            self.down.take(self.down.peer.poll())
        elif request.sync_state is not None:
            self.sync(request.sync_state)
        elif request.ping_req is not None:
            self.say(pong_resp=livekit.Pong(last_ping_timestamp=request.ping_req.timestamp))
        elif request.leave is not None:
            self.left = True
            self.say(leave=livekit.LeaveRequest(reason=request.leave.reason))
            self.server.gone(self)

    def sync(self, state: livekit.SyncState) -> None:
        self.synced.append(state)
        self.hears = True
        has = {one.publisher_sid: one.last_seq for one in state.datachannel_receive_states}
        for sid, number, message in self.server.kept:
            if sid != self.sid and number > has.get(sid, 0):
                self.down.send("_reliable", message)

    def drop(self) -> None:
        """The socket breaks."""
        self.hears = not self.server.replays
        link, self.link = self.link, None
        assert link is not None
        if self.client.sockets.pop(link, self) is self:
            self.client.give(SocketClosed(link=link, reason=CloseReason.NETWORK))

    def _heard(self, channel: int, message: bytes) -> None:
        packet = decode_message(livekit.DataPacket, message)
        label = self.up.labels[channel]
        if label == "_reliable":
            if packet.sequence <= self.last:
                return
            self.last = packet.sequence
        packet.participant_identity, packet.participant_sid = self.client.name, self.sid
        encoded = encode(packet)
        if label == "_reliable" and self.server.replays:
            self.server.kept.append((self.sid, packet.sequence, encoded))
        for other in self.server.stays:
            if other is not self and (other.hears or label != "_reliable"):
                other.down.send(label, encoded)


class Server:
    """All of them."""

    def __init__(self, net: Network, new_peer: Any, *, two: bool, replays: bool = False) -> None:
        self.net = net
        self.new_peer = new_peer
        self.two = two
        self.replays = replays
        self.kept: list[tuple[str, int, bytes]] = []
        """Reliable packets: whose, their number, and how they go out."""
        self.stays: list[Stay] = []
        self._numbers = count(1)

    def number(self) -> int:
        return next(self._numbers)

    def stay(self, client: Client) -> Stay:
        return next(one for one in self.stays if one.client is client)

    def gone(self, stay: Stay) -> None:
        self.stays.remove(stay)
        for one in self.stays:
            gone = stay.info(state=livekit.ParticipantState.DISCONNECTED)
            one.say(update=livekit.ParticipantUpdate(participants=[gone]))

    def dial(self, client: Client, command: OpenSocket) -> None:
        if command.link not in client.sockets:
            return
        parts = urlsplit(command.url)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if self.two and parts.path != "/rtc":
            del client.sockets[command.link]
            client.give(SocketClosed(link=command.link, reason=CloseReason.UNREACHABLE, status=404))
            return
        request = livekit.JoinRequest(reconnect=query.get("reconnect") == "1")
        if not self.two:
            wrapped = decode_message(livekit.WrappedJoinRequest, base64.urlsafe_b64decode(query["join_request"]))
            request = decode_message(livekit.JoinRequest, wrapped.join_request)
        stay = self.stay(client) if request.reconnect else Stay(self, client)
        stay.link = command.link
        client.sockets[command.link] = stay
        client.give(SocketOpened(link=command.link, place=Place.PRIVATE))
        everybody = [one.info() for one in self.stays]
        if request.reconnect:
            stay.say(reconnect=livekit.ReconnectResponse(last_message_seq=stay.last))
            stay.say(update=livekit.ParticipantUpdate(participants=everybody))
        else:
            join = livekit.JoinResponse(
                participant=stay.info(), other_participants=everybody, ping_interval=5, ping_timeout=15,
                room=livekit.Room(name="r"), subscriber_primary=self.two,
            )  # fmt: skip
            stay.say(join=join)
            for one in self.stays:
                one.say(update=livekit.ParticipantUpdate(participants=[stay.info()]))
            self.stays.append(stay)
        if request.publisher_offer is not None:
            stay.take_offer(request.publisher_offer)
        if self.two:
            stay.offer(restart=request.reconnect)
