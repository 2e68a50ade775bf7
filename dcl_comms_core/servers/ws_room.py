"""WsRoomServer: a ws-room service from its other end, for an embedded realm and for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dcl_comms_core.codec import decode_message, encode
from dcl_comms_core.errors import DecodeError
from dcl_comms_core.handshake.frames import update_frame
from dcl_comms_core.limits import DEFAULT_LIMITS
from dcl_comms_core.proto import rfc5
from dcl_comms_core.servers.challenges import Challenges
from dcl_comms_core.servers.sockets import Sockets
from dcl_comms_core.states import Stage

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.commands import Command
    from dcl_comms_core.identity.auth_chain import Verifier
    from dcl_comms_core.inputs import Input, LinkRef
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.servers.sockets import Client

__all__ = ["WsRoomServer"]

_KICKED: Final = encode(rfc5.WsPacket(peer_kicked=rfc5.WsKicked(reason="This world is full. Try again later.")))
"""The real service sends the same text for a second login."""


class WsRoomServer:
    """Rooms by name, of at most ``max_users`` each, for whoever proves who they are.

    ``one_room``: a wallet is in one room at a time, as in the real service; False: in each room once, as in LiveKit.
    ``denied(address)`` says who is hung up on.
    """

    def __init__(
        self,
        *,
        verifier: Verifier,
        max_users: int = 100,
        one_room: bool = True,
        denied: Callable[[str], bool] = lambda _address: False,
        stage_seconds: float = 1.0,
        limits: Limits = DEFAULT_LIMITS,
        entropy: int = 0,
    ) -> None:
        sockets = Sockets(on_frame=self._on_frame, left=self._left, stage_seconds=stage_seconds, limits=limits)
        self._sockets = sockets
        self._challenges = Challenges(
            sockets,
            frame=_challenge_frame,
            known=lambda client, address: self._place(client, address) in self._peers,
            welcome=self._welcome,
            denied=denied,
            verifier=verifier,
            limits=limits,
            entropy=entropy,
        )
        self._limits = limits
        self._one_room = one_room
        self._peers: dict[tuple[str, str], Client] = {}
        """By address, and by room where that counts."""
        self._rooms: dict[str, dict[int, Client]] = {}
        self.max_users = max_users
        """The most in one room; may be changed."""
        self.counters = sockets.counters
        """How often: accepted, welcomed, relayed; refused.full, .stage, .frame, .address, .chain, .denied, .time;
        kicked."""

    @property
    def rooms(self) -> dict[str, tuple[str, ...]]:
        """Who is in which room: names, and addresses in lower case."""
        return {room: tuple(member.address for member in members.values()) for room, members in self._rooms.items()}

    def accept(self, link: LinkRef, room: str, *, now: float) -> None:
        """A client opened a WebSocket to a room.  LocalProtocolError: the link is another client's."""
        self._sockets.accept(link, room, now)

    def kick(self, address: str, *, now: float) -> bool:
        """Kick a wallet.  False: it is in no room."""
        self._sockets.clock.pass_time(now)
        clients = [client for client in self._peers.values() if client.address == address.lower()]
        for client in clients:
            self._sockets.kick(client, _KICKED)
        return bool(clients)

    def receive(self, inp: Input, *, now: float) -> None:
        """Take what a client sent, its end, or the wall clock.  LocalProtocolError: it is something else."""
        self._sockets.receive(inp, now=now)

    def handle_timeout(self, now: float) -> None:
        """Let time pass.  Calling it too early or too often does nothing."""
        self._sockets.handle_timeout(now)

    def deadline(self) -> float | None:
        """When to call ``handle_timeout`` at the latest; None: not needed."""
        return self._sockets.deadline()

    def commands(self) -> list[Command]:
        """Take everything that the sockets are to do, in order."""
        return self._sockets.take_commands()

    def _on_frame(self, client: Client, data: bytes) -> None:
        try:
            packet = decode_message(rfc5.WsPacket, data, limits=self._limits)
        except DecodeError:
            self._sockets.refuse(client, "frame")
            return
        if client.stage is Stage.WELCOMED:
            if packet.peer_update_message is not None:
                self._relay(client, packet.peer_update_message)
        elif packet.peer_identification is not None:
            self._on_identification(client, packet.peer_identification.address)
        elif packet.signed_challenge_for_server is not None:
            self._challenges.proved(client, packet.signed_challenge_for_server.auth_chain_json)
        else:
            self._sockets.refuse(client, "stage")

    def _on_identification(self, client: Client, address: str) -> None:
        if len(self._rooms.get(client.room, ())) >= self.max_users:
            self._sockets.kick(client, _KICKED)
        else:
            self._challenges.identified(client, address)

    def _relay(self, client: Client, update: rfc5.WsPeerUpdate) -> None:
        self.counters["relayed"] += 1
        frame = update_frame(update.body, reliable=not update.unreliable, alias=client.alias)
        self._send_others(client, frame)

    def _send_others(self, client: Client, frame: bytes) -> None:
        for other in self._rooms.get(client.room, {}).values():
            if other is not client:
                self._sockets.send(other, frame)

    def _place(self, client: Client, address: str) -> tuple[str, str]:
        return address, "" if self._one_room else client.room

    def _welcome(self, client: Client) -> None:
        place = self._place(client, client.address)
        older = self._peers.get(place)
        if older is not None:
            self._sockets.kick(older, _KICKED)
        room = self._rooms.setdefault(client.room, {})
        others = {alias: other.address for alias, other in room.items()}
        self._sockets.let_in(client)
        self._peers[place] = room[client.alias] = client
        welcome = rfc5.WsWelcome(alias=client.alias, peer_identities=others)
        self._sockets.send(client, encode(rfc5.WsPacket(welcome_message=welcome)))
        joined = rfc5.WsPeerJoin(alias=client.alias, address=client.address)
        self._send_others(client, encode(rfc5.WsPacket(peer_join_message=joined)))

    def _left(self, client: Client) -> None:
        del self._peers[self._place(client, client.address)]
        room = self._rooms[client.room]
        del room[client.alias]
        if not room:
            del self._rooms[client.room]
        self._send_others(client, encode(rfc5.WsPacket(peer_leave_message=rfc5.WsPeerLeave(alias=client.alias))))


def _challenge_frame(challenge: str, already: bool) -> bytes:  # noqa: FBT001 - a callback's
    message = rfc5.WsChallengeRequired(challenge_to_sign=challenge, already_connected=already)
    return encode(rfc5.WsPacket(challenge_message=message))
