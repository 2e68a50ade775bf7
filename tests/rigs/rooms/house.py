"""A RoomServer with scripted peers: what participants say and send, and what comes of it."""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64encode
from itertools import count
from typing import Any
from urllib.parse import urlencode

from rigs.signals.session import FakePeer

from dcl_comms_core import Limits
from dcl_comms_core.codec import decode_message, encode
from dcl_comms_core.commands import CloseSocket, SendDatagrams, SendFrame
from dcl_comms_core.inputs import ClockSet, DatagramsReceived, FrameReceived, LinkRef, SocketClosed
from dcl_comms_core.proto import livekit
from dcl_comms_core.servers.livekit.pages import RoomPage
from dcl_comms_core.servers.livekit.server import PORT, RoomServer
from dcl_comms_core.states import CloseReason

KEY, SECRET = "APIkey", "a secret of the server"
UNIX = 1_800_000_000.0
SERVER = ("10.0.0.1", 7_882)
RELIABLE, LOSSY = 0, 1
PLAYER = {"roomJoin": True, "canPublish": True, "canPublishData": True, "canUpdateOwnMetadata": True}
ADMIN = {"roomAdmin": True, "roomList": True, "roomCreate": True}
LONG = Limits(packet_bytes=10_000_000)
OFFER = "v=0\r\na=group:BUNDLE 0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\n"


def part(value: object) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def sign(claims: object, *, secret: str = SECRET, header: object = None) -> str:
    """A token with any claims."""
    signed = f"{part(header or {'alg': 'HS256'})}.{part(claims)}"
    return f"{signed}.{part(hmac.digest(secret.encode(), signed.encode(), 'sha256'))}"


def token(identity: str = "alice", room: str = "plaza", *, claims: Any = None, **grants: object) -> str:
    """A player's token, with these changes."""
    video = {"room": room, **PLAYER, **grants}
    body = {"iss": KEY, "sub": identity, "nbf": UNIX - 10, "exp": UNIX + 300, "video": video, **(claims or {})}
    return sign({name: value for name, value in body.items() if value is not None})


def check(name: str, transaction: bytes = bytes(12), *, before: bytes = b"") -> bytes:
    """A STUN request to who is known by this name."""
    username = f"{name}:theirs".encode()
    padding = bytes(-len(username) % 4)
    attributes = before + b"\x00\x06" + len(username).to_bytes(2) + username + padding
    return b"\x00\x01" + len(attributes).to_bytes(2) + b"\x21\x12\xa4\x42" + transaction + attributes


def success(transaction: bytes) -> bytes:
    return b"\x01\x01\x00\x00\x21\x12\xa4\x42" + transaction


class ServerPeer(FakePeer):
    """One that answers with a name of its own."""

    numbers = count(1)

    def __init__(self, now: float) -> None:
        super().__init__(now)
        self.name = f"peer{next(self.numbers)}"

    def accept_offer(self, sdp: str) -> str:
        super().accept_offer(sdp)
        return f"v=0\r\na=group:BUNDLE 0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=ice-ufrag:{self.name}\r\na=mid:0\r\n"


class Guest:
    """One who joins: his socket, the server's peer for him, and what he was told and sent."""

    def __init__(self, rig: Rooms, identity: str, link: LinkRef) -> None:
        self.rig = rig
        self.identity = identity
        self.link = link
        self.peer = rig.peers[-1] if rig.peers else ServerPeer(0.0)
        self.address = (f"10.0.1.{link.link}", 4_000)
        self.told: list[livekit.SignalResponse] = []
        self.hung_up = False

    @property
    def sid(self) -> str:
        return next(one.join.participant.sid for one in self.told if one.join and one.join.participant)

    def take(self) -> list[livekit.SignalResponse]:
        """What he was told since the last look."""
        told, self.told = self.told, []
        return told

    def kinds(self) -> list[str]:
        """The same, by the names of the messages."""
        return [kind_of(one) for one in self.take()]

    def updates(self) -> list[livekit.ParticipantInfo]:
        """Who he was told of since the last look."""
        return [info for one in self.take() if one.update for info in one.update.participants]

    def leave_told(self) -> livekit.LeaveRequest:
        return next(one.leave for one in reversed(self.told) if one.leave)

    def packets(self) -> list[tuple[int, livekit.DataPacket]]:
        """What was sent to him since the last look."""
        sent, self.peer.sent = self.peer.sent, []
        return [(channel, decode_message(livekit.DataPacket, data)) for channel, data in sent]

    def payloads(self) -> list[bytes]:
        return [packet.user.payload for _, packet in self.packets() if packet.user]

    def say(self, **request: Any) -> Guest:
        return self.say_bytes(encode(livekit.SignalRequest(**request)))

    def say_bytes(self, data: bytes) -> Guest:
        self.rig.give(FrameReceived(link=self.link, data=data))
        return self

    def datagram(self, data: bytes = b"\x17data", address: tuple[str, int] | None = None) -> Guest:
        remote = self.address if address is None else address
        self.rig.give(DatagramsReceived(link=PORT, remote=remote, datagrams=[data]))
        return self

    def prove(self, address: tuple[str, int] | None = None) -> Guest:
        """Answer a check of the server's, from this address."""
        remote = self.address if address is None else address
        number = next(self.rig.numbers).to_bytes(12)
        self.peer.give((("udp", SERVER, remote), check("theirs", number)))
        self.datagram(check(self.peer.name, number), remote)
        self.datagram(success(number), remote)
        return self

    def arrive(self) -> Guest:
        """Have his channels open."""
        self.peer.tell(("open", RELIABLE, "_reliable"), ("open", LOSSY, "_lossy"))
        return self.prove()

    def happens(self, *happenings: tuple[Any, ...]) -> Guest:
        self.peer.tell(*happenings)
        return self.datagram()

    def send(self, data: bytes = b"x", *, channel: int = RELIABLE, **fields: Any) -> Guest:
        user = livekit.UserPacket(payload=data, topic=fields.pop("topic", None), **fields.pop("user", {}))
        return self.happens(("data", channel, encode(livekit.DataPacket(user=user, **fields))))

    def cut(self) -> Guest:
        self.rig.give(SocketClosed(link=self.link, reason=CloseReason.NETWORK))
        return self


class Rooms:
    """The server and everybody."""

    def __init__(self, *, clock: bool = True, **options: Any) -> None:
        self.now = 100.0
        self.numbers = count(1)
        self.peers: list[ServerPeer] = []
        self.faults: dict[str, Exception] = {}
        self.guests: dict[LinkRef, Guest] = {}
        self.datagrams: list[tuple[tuple[str, int], bytes]] = []
        self.server = RoomServer(
            keys={KEY: SECRET}, new_peer=self._new_peer, address=SERVER, entropy=1, **options
        )  # fmt: skip
        if clock:
            self.give(ClockSet(unix_offset=UNIX - self.now))

    def _new_peer(self, now: float) -> ServerPeer:
        self.peers.append(ServerPeer(now))
        self.peers[-1].faults = dict(self.faults)
        return self.peers[-1]

    @property
    def counters(self) -> Any:
        return self.server.counters

    def turn(self) -> Rooms:
        for command in self.server.commands():
            match command:
                case SendFrame():
                    self.guests[command.link].told.append(
                        decode_message(livekit.SignalResponse, command.data, limits=LONG)
                    )
                case CloseSocket():
                    self.guests[command.link].hung_up = True
                case SendDatagrams():
                    assert command.link == PORT
                    self.datagrams += [(command.to, one) for one in command.datagrams]
                case _:
                    raise AssertionError(command)
        return self

    def give(self, inp: Any) -> Rooms:
        self.server.receive(inp, now=self.now)
        return self.turn()

    def pass_time(self, seconds: float) -> Rooms:
        """Let time pass, as a host does: each deadline in turn."""
        end = self.now + seconds
        for _ in range(10_000):
            due = self.server.deadline()
            if due is None or due > end:
                break
            self.now = max(self.now, due)
            self.server.handle_timeout(self.now)
            self.turn()
        else:
            raise AssertionError("it never waits")
        self.now = end
        self.server.handle_timeout(end)
        return self.turn()

    def ask(self, target: str, *, bearer: str = "") -> tuple[RoomPage | None, Guest]:
        """Ask for a WebSocket; the refusal, if there is one, and who asked."""
        link = LinkRef(next(self.numbers), 1)
        guest = self.guests[link] = Guest(self, "", link)
        headers = {"authorization": f"Bearer {bearer}"} if bearer else {}
        refusal = self.server.upgrade(link, target, headers, now=self.now)
        guest.peer = self.peers[-1] if self.peers else guest.peer
        self.turn()
        return refusal, guest

    def join(self, identity: str = "alice", room: str = "plaza", *, two: bool = False, **grants: Any) -> Guest:
        """Join with one connection, or by the way of two; he is not in until he arrives."""
        parameters = grants.pop("parameters", {})
        text = token(identity, room, **grants)
        if two:
            target = f"/rtc?{urlencode({'access_token': text, 'protocol': 15, **parameters})}"
        else:
            target = join_target(text, **parameters)
        refusal, guest = self.ask(target)
        assert refusal is None, refusal
        guest.identity = identity
        if two:
            guest.say(offer=livekit.SessionDescription(type="offer", sdp=OFFER, id=7))
        return guest

    def enter(self, *identities: str, room: str = "plaza", **grants: Any) -> list[Guest]:
        """Have these be in, and know of each other."""
        guests = [self.join(one, room, **grants).arrive() for one in identities]
        for guest in guests:
            guest.take()
        return guests

    def resume(self, guest: Guest, *, two: bool = False) -> Guest:
        """Somebody comes back by another socket."""
        text = token(guest.identity)
        if two:
            refusal, again = self.ask(f"/rtc?{urlencode({'access_token': text, 'reconnect': 1})}")
        else:
            refusal, again = self.ask(join_target(text, publisher_offer=None, reconnect=True))
        assert refusal is None
        again.identity, again.peer, again.address = guest.identity, guest.peer, guest.address
        return again

    def api(self, method: str, body: object = None, *, room: str = "plaza", **grants: Any) -> tuple[int, Any]:
        """Ask the room service; what it answers."""
        video = {"room": room, **(grants or ADMIN)}
        headers = {"authorization": f"Bearer {sign({'iss': KEY, 'exp': UNIX + 60, 'video': video})}"}
        content = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
        page = self.server.request("POST", f"/twirp/livekit.RoomService/{method}", headers, content, now=self.now)
        self.turn()
        return page.status, json.loads(page.body)

    def get(self, target: str, method: str = "GET", **headers: str) -> RoomPage:
        page = self.server.request(method, target, headers, now=self.now)
        self.turn()
        return page


def join_target(text: str, *, wrapped: bytes | None = None, **fields: Any) -> str:
    """The URL of who joins with one connection."""
    if wrapped is None:
        offer = livekit.SessionDescription(type="offer", sdp=OFFER, id=7)
        values = {"client_info": livekit.ClientInfo(protocol=17), "publisher_offer": offer, **fields}
        wrapped = encode(livekit.WrappedJoinRequest(join_request=encode(livekit.JoinRequest(**values))))
    return f"/rtc/v1?{urlencode({'access_token': text, 'join_request': urlsafe_b64encode(wrapped).decode()})}"


def kind_of(response: livekit.SignalResponse) -> str:
    """What a message is."""
    names = (
        "join", "answer", "update", "leave", "room_update", "reconnect", "pong_resp", "request_response",
        "refresh_token", "pong",
    )  # fmt: skip
    return next(name for name in names if getattr(response, name))
