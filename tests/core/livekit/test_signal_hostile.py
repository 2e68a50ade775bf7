"""A server, a network and a peer that do anything: nothing raises, nothing is told twice, nothing grows without end."""

from __future__ import annotations

import random
import sys
from typing import Any

import pytest
from rigs.core.canary import assert_no_secret
from rigs.core.tokens import make_token
from rigs.signals.session import HERE, LINK, TCP, THERE, UDP, SignalRig, info, packet, trickle

from dcl_comms_core import Limits
from dcl_comms_core.adapters.url_guard import Place
from dcl_comms_core.codec import encode
from dcl_comms_core.commands import (
    CloseLink,
    ClosePort,
    CloseSocket,
    Fetch,
    OpenPort,
    OpenSocket,
    SendDatagrams,
    SendFrame,
    SetAttributes,
)
from dcl_comms_core.inputs import (
    DatagramsReceived,
    Fetched,
    FetchFailed,
    FrameReceived,
    LinkClosed,
    LinkFailed,
    LinkOpened,
    LinkReconnected,
    LinkReconnecting,
    LinkRef,
    ParticipantJoined,
    ParticipantLeft,
    PortClosed,
    PortOpened,
    SendAcknowledged,
    SendsAcknowledged,
    SocketClosed,
    SocketOpened,
)
from dcl_comms_core.proto import livekit
from dcl_comms_core.states import CloseReason
from dcl_comms_core.states.livekit import SIGNAL_TRANSITIONS, SignalState

S = SignalState
LIMITS = Limits(
    room_members=8, room_members_bytes=4_000, room_requests=4, ice_candidates=5, ice_ports=3, early_bytes=2_000,
    send_queue_bytes=3_000,
)  # fmt: skip
NAMES = ("me", "a", "b", "c", "", "d" * 300)


class Play:
    """One session that anything happens to, and what has to be true of it all the time."""

    def __init__(self, seed: int) -> None:
        self.luck = random.Random(seed)
        self.rig = SignalRig(limits=LIMITS, entropy=seed, adapter=None)
        self.sockets: set[LinkRef] = set()
        self.ports: set[LinkRef] = set()
        self.fetches: list[LinkRef] = []
        self.opened = self.closed = self.repairing = False
        self.there: set[str] = set()
        self.owed: set[int] = set()
        self.looked_at = 0
        self.moves: set[tuple[SignalState, SignalState]] = set()
        self.secrets = [self.rig.secret]

    # --- what happens

    def person(self) -> livekit.ParticipantInfo:
        luck = self.luck
        name = luck.choice(NAMES)
        return livekit.ParticipantInfo(
            identity=name,
            sid=luck.choice([f"PA_{name}", "PA_x", ""]),
            state=livekit.ParticipantState(luck.choice([0, 1, 2, 3, 9])),
            version=luck.randrange(5),
            joined_at=luck.randrange(3),
            metadata="m" * luck.choice([0, 1, 3_000]),
            permission=luck.choice([None, livekit.ParticipantPermission(can_publish=True)]),
            tracks=[
                livekit.TrackInfo(sid=f"TR{luck.randrange(3)}", type=luck.randrange(4), muted=luck.random() < 0.5)  # type: ignore[arg-type]
                for _ in range(luck.randrange(3))
            ],
        )

    def people(self) -> list[livekit.ParticipantInfo]:
        return [self.person() for _ in range(self.luck.randrange(4))]

    def response(self) -> dict[str, Any]:
        luck = self.luck
        token = make_token(ttl=luck.choice([5.0, 999.0]))
        self.secrets.append(token)
        me = livekit.ParticipantInfo(identity="me", sid="PA_me")
        room = luck.choice([None, livekit.Room(name="r", metadata=luck.choice("ab"))])
        description = livekit.SessionDescription(
            sdp=f"v=0\r\na={luck.choice([UDP, TCP])}\r\n", id=luck.randrange(4), type="x"
        )
        reason = livekit.DisconnectReason(luck.randrange(20))
        action = livekit.LeaveAction(luck.randrange(4))
        return luck.choice(
            [
                {"join": livekit.JoinResponse(participant=luck.choice([me, me, me, None, self.person()]), room=room,
                    other_participants=self.people(), subscriber_primary=luck.random() < 0.5,
                    alternative_url=luck.choice(["", "", "", "wss://x.example", "::"]),
                    ping_interval=luck.choice([0, 1, -5]), ping_timeout=luck.choice([0, 3, 2**31 - 1]))},
                {"answer": description},
                {"offer": description},
                trickle(luck.choice([UDP, TCP, "x", 7]), livekit.SignalTarget(luck.randrange(3))),
                {"update": livekit.ParticipantUpdate(participants=self.people())},
                {"reconnect": livekit.ReconnectResponse(last_message_seq=luck.choice([0, 2, 2**32 - 1]))},
                {"speakers_changed": livekit.SpeakersChanged(speakers=[
                    livekit.SpeakerInfo(sid=luck.choice(["PA_a", "PA_me", "?"]), level=luck.random(), active=True)])},
                {"room_update": livekit.RoomUpdate(room=room)},
                {"request_response": livekit.RequestResponse(request_id=luck.randrange(4), message=self.rig.secret,
                    reason=livekit.RequestOutcome(luck.randrange(8)))},
                {"room_moved": livekit.RoomMoved(room=room, participant=self.person(), token=token,
                    other_participants=self.people())},
                {"refresh_token": luck.choice([token, "odd", "\x00"])},
                {"pong_resp": livekit.Pong(last_ping_timestamp=luck.choice([0, -(2**63), 2**63 - 1]))},
                {"mute": livekit.MuteTrackRequest(sid="x")},
            ]
            + [{"leave": livekit.LeaveRequest(reason=reason, action=action)}] * (luck.random() < 0.2)
        )  # fmt: skip

    def frame(self) -> FrameReceived:
        luck = self.luck
        link = luck.choice([self.rig.socket or LinkRef(0, 0), LinkRef(1, 3), LinkRef(5, 2)])
        data = encode(livekit.SignalResponse(**self.response()))
        if luck.random() < 0.1:
            data = luck.choice([b"", luck.randbytes(30), data[: len(data) // 2], data + b"\xff"])
        return FrameReceived(link=link, data=data, text=luck.random() < 0.05)

    def port(self) -> LinkRef:
        return self.luck.choice([*self.ports, LinkRef(4, 3)])

    def input(self) -> Any:
        luck = self.luck
        socket = luck.choice([self.rig.socket or LinkRef(0, 0), LinkRef(2, 3)])
        fetch = luck.choice([*self.fetches, LinkRef(3, 3)])
        body = f"token is expired {self.rig.secret}".encode() + luck.randbytes(3)
        local = (HERE[0], luck.randrange(1, 9))
        status = luck.choice([0, 0, 0, 404, 401, 500, 302])
        return luck.choice(
            [
                *(self.frame() for _ in range(5)),
                *(SocketOpened(link=socket, place=luck.choice([Place.PRIVATE, Place.PUBLIC])) for _ in range(2)),
                SocketClosed(link=socket, reason=luck.choice(list(CloseReason)), status=status),
                Fetched(link=fetch, status=401, headers=(), body=body, url="", place=Place.PUBLIC),
                FetchFailed(link=fetch, reason=CloseReason.TIMEOUT),
                *(PortOpened(link=self.port(), local=local) for _ in range(3)),
                PortClosed(link=self.port()),
                *(DatagramsReceived(link=self.port(), remote=THERE, datagrams=[luck.randbytes(9)]) for _ in range(2)),
            ]
        )

    def happening(self) -> tuple[Any, ...]:
        luck = self.luck
        channel = luck.randrange(3)
        return luck.choice(
            [
                ("ice-checking",), ("ice-completed",), ("ice-connected",), ("connected",), ("low", channel),
                ("open", 0, "_reliable"), ("open", 1, "_lossy"), ("open", 2, "_data_track"), ("unheard-of",),
                ("data", channel, luck.choice([packet(sequence=luck.randrange(9)), luck.randbytes(20), b""])),
            ]
            + [("ice-disconnected",), ("close", channel), ("closed",)] * (luck.random() < 0.1)
        )  # fmt: skip

    def step(self) -> None:
        luck, rig = self.luck, self.rig
        what = luck.randrange(20)
        before = rig.state
        for peer in rig.peers[-2:]:
            peer.tell(*(self.happening() for _ in range(luck.choice([0, 0, 1, 3, 8]))))
            peer.room = luck.choice([0, 500, 100_000])
            if luck.random() < 0.3:
                peer.held = {}
            if luck.random() < 0.005:
                peer.faults = {luck.choice(["send", "receive", "poll", "buffered", "offer"]): RuntimeError("over")}
        if what < 14:
            rig.session.receive(self.input(), now=rig.now)
        elif what < 16:
            rig.now += luck.choice([0.0, 0.1, 1.0, 4.0])
            rig.session.handle_timeout(rig.now)
        elif what < 19:
            token = luck.randrange(1_000_000)
            if rig.state is not S.CLOSED:
                self.owed.add(token)
            rig.send(token, bytes(luck.choice([1, 1_000, 70_000])), reliable=luck.random() < 0.5)
        else:
            command = SetAttributes(link=LINK, attributes=(("a", luck.choice("12")),))
            rig.do(CloseLink(link=LINK, drain=1.0) if luck.random() < 0.05 else command)
        rig.turn()
        self.moves.add((before, rig.state))
        self.look()

    # --- what has to be true

    def look(self) -> None:
        for command in self.rig.commands:
            self.command(command)
        self.rig.commands.clear()
        for news in self.rig.news[self.looked_at :]:
            self.told(news)
        self.looked_at = len(self.rig.news)
        if self.rig.state is S.CLOSED:
            assert self.closed
            assert self.rig.session.deadline() is None
            assert not self.sockets
            assert not self.ports

    def command(self, command: Any) -> None:
        match command:
            case OpenSocket():
                assert not self.sockets, "one at a time"
                self.sockets.add(command.link)
            case CloseSocket():
                self.sockets.discard(command.link)
            case SendFrame():
                assert command.link in self.sockets
            case OpenPort():
                assert command.link not in self.ports
                self.ports.add(command.link)
                assert len(self.ports) <= 2 * LIMITS.ice_ports
            case ClosePort():
                assert command.link in self.ports
                self.ports.remove(command.link)
            case SendDatagrams():
                assert command.link in self.ports
            case Fetch():
                self.fetches.append(command.link)
            case _:
                raise AssertionError(command)
        for secret in self.secrets[:1] + self.secrets[-2:]:
            assert_no_secret(secret, repr(command))

    def told(self, news: Any) -> None:
        assert not self.closed, "nothing comes after the end"
        match news:
            case LinkOpened():
                assert not self.opened
                self.opened = True
                self.there = {one.identity for one in news.participants}
            case LinkClosed() | LinkFailed():
                self.closed = True
                assert isinstance(news, LinkClosed) or not self.opened
            case SendAcknowledged():
                self.owed.remove(news.token)
            case SendsAcknowledged():
                assert self.opened
                self.owed -= set(news.tokens)
            case LinkReconnecting():
                assert not self.repairing
                self.repairing = True
            case LinkReconnected():
                assert self.repairing
                self.repairing = False
            case ParticipantJoined():
                assert self.opened
                assert news.participant.identity not in self.there
                self.there.add(news.participant.identity)
                assert len(self.there) <= LIMITS.room_members
            case ParticipantLeft():
                self.there.remove(news.identity)
            case _:
                assert self.opened or type(news).__name__ == "CommandFailed"
        for secret in self.secrets[:1] + self.secrets[-2:]:
            assert_no_secret(secret, repr(news))


def weight(thing: object, seen: set[int] | None = None) -> int:
    """Bytes of memory of what hangs on a session, about."""
    seen = set() if seen is None else seen
    if id(thing) in seen or isinstance(thing, type) or callable(thing):
        return 0
    seen.add(id(thing))
    size = sys.getsizeof(thing)
    if isinstance(thing, dict):
        size += sum(weight(one, seen) for pair in thing.items() for one in pair)
    elif isinstance(thing, list | tuple | set) or type(thing).__name__ == "deque":
        size += sum(weight(one, seen) for one in thing)  # type: ignore[attr-defined]
    elif type(thing).__module__.startswith("dcl_comms_core"):
        names = [name for cls in type(thing).__mro__ for name in getattr(cls, "__slots__", ())]
        size += sum(weight(getattr(thing, name, None), seen) for name in names)
        size += weight(getattr(thing, "__dict__", {}), seen)
    return size


@pytest.mark.parametrize("seed", range(40))
def test_whatever_a_server_does(seed: int) -> None:
    play = Play(seed)
    receive = play.rig.session.receive

    def watched(inp: Any, *, now: float) -> None:
        if isinstance(inp, SocketClosed):
            play.sockets.discard(inp.link)
        if isinstance(inp, PortClosed):
            play.ports.discard(inp.link)
        receive(inp, now=now)

    play.rig.session.receive = watched  # type: ignore[method-assign]
    play.rig.begin()
    play.look()
    if seed % 4:  # three of four begin in the room
        play.rig.session.receive(SocketOpened(link=play.rig.socket or LINK, place=Place.PRIVATE), now=play.rig.now)
        play.rig.join(info("a")).answer()
        for port in [one.link for one in play.rig.commands if isinstance(one, OpenPort)]:
            play.rig.lines.append(port)
            play.rig.give(PortOpened(link=port, local=HERE))
        play.rig.happen(*play.rig.UP)
        play.look()
        assert play.opened
    for _ in range(400):
        play.step()
    legal = {(before, after) for (before, _), after in SIGNAL_TRANSITIONS.items()}
    closure = set(legal)
    for _ in SignalState:
        closure |= {(one, three) for one, two in closure for two_, three in legal if two is two_}
    assert {(one, two) for one, two in play.moves if one is not two} <= closure


def test_a_flood_of_everything_has_an_end_in_memory() -> None:
    """The same server for a long time: what it may make us keep is bounded by limits, not by time."""
    rig = SignalRig(limits=LIMITS).opened()
    luck = random.Random(1)

    def flood(rounds: int) -> int:
        for number in range(rounds):
            rig.update(*(info(f"{luck.randrange(10**9)}", metadata="m" * 99) for _ in range(5)))
            sid = f"PA_{luck.randrange(10**9)}"
            rig.say(speakers_changed=livekit.SpeakersChanged(speakers=[livekit.SpeakerInfo(sid=sid, active=True)]))
            rig.message(packet(participant_sid=sid, sequence=1))
            rig.say(**trickle(TCP.replace("7881", str(1 + luck.randrange(65_535)))))
            rig.say(request_response=livekit.RequestResponse(request_id=luck.randrange(2**32)))
            rig.do(SetAttributes(link=LINK, attributes=(("a", str(number)),)))
            rig.send(number, bytes(50))
            rig.peer.room = 0
            rig.news.clear()
            rig.commands.clear()
        return weight(rig.session)

    before = flood(300)
    assert rig.state is S.OPEN
    assert flood(600) < before * 1.2
