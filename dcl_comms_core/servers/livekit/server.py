"""RoomServer: LiveKit rooms for packets, from their other end.

===============================  =====================================================================================
/rtc, /rtc/v1                    WebSockets of participants; each has one peer connection, which it offers
/rtc/validate, /rtc/v1/validate  whether a token lets in, in words
POST /twirp/livekit.RoomService  LiveKit's own API of rooms and participants, in JSON
GET /                            200
===============================  =====================================================================================

Whoever speaks LiveKit's protocol can join with packets; sound and pictures are refused, as to somebody who may not
publish.  Others are told of somebody as soon as he is in, before his first packet.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from dcl_comms_core.codec import decode_message
from dcl_comms_core.errors import DecodeError, LocalProtocolError
from dcl_comms_core.inputs import ClockSet, DatagramsReceived, FrameReceived, LinkRef, SendAcknowledged, SocketClosed
from dcl_comms_core.limits import DEFAULT_LIMITS
from dcl_comms_core.proto import livekit
from dcl_comms_core.servers.livekit.asking import Ask, bearer, read_ask
from dcl_comms_core.servers.livekit.connection import Connection
from dcl_comms_core.servers.livekit.house import House
from dcl_comms_core.servers.livekit.packets import forward
from dcl_comms_core.servers.livekit.pages import RoomPage, said
from dcl_comms_core.servers.livekit.participants import Participant
from dcl_comms_core.servers.livekit.service import PREFIX, serve
from dcl_comms_core.servers.livekit.settings import RoomSettings
from dcl_comms_core.servers.livekit.signals import change_metadata, hear, take_offer
from dcl_comms_core.servers.livekit.tokens import Grant, TokenRefused, read_token

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Mapping

    from dcl_comms_core.commands import Command, PortCommand
    from dcl_comms_core.inputs import Input, PortInput
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.livekit.webrtc import Address, NewPeer

__all__ = ["PORT", "RoomServer"]

PORT: Final = LinkRef(0, 1)
"""What names the port of datagrams, unless told otherwise."""

_PROTOCOL: Final = 17
"""From 18 on clients agree with us on streams for their channels: this one waits until they announce them."""
_TOO_LONG: Final = "length exceeds limits: max length"
_PREFLIGHT: Final = (
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Allow-Headers", "*"),
    ("Access-Control-Allow-Methods", "*"),
    ("Access-Control-Max-Age", "86400"),
)


class RoomServer:
    """Rooms by name, made by whoever joins first.

    ``keys``: secrets of access tokens, by key; ``new_peer`` makes the server's side of a peer connection; ``address``:
    where clients are to send datagrams; ``entropy``: 64 bits of chance, for names of sessions; ``port``: what names
    the port of datagrams in inputs and commands.

    A host opens a WebSocket after :meth:`upgrade`, and answers other requests by :meth:`request`.  ``receive`` takes
    FrameReceived, SocketClosed, DatagramsReceived and ClockSet; after each call ``commands()`` gives SendFrame,
    CloseSocket and SendDatagrams.
    """

    def __init__(
        self,
        *,
        keys: Mapping[str, str],
        new_peer: NewPeer,
        address: Address,
        entropy: int,
        port: LinkRef = PORT,
        settings: RoomSettings | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self.settings = RoomSettings() if settings is None else settings
        # A description of a room is longer than a packet, and tells more that we don't know.
        self._limits = replace(
            limits, packet_bytes=limits.server_signal_bytes, unknown_bytes=limits.server_signal_bytes
        )
        self._keys = dict(keys)
        self._new_peer = new_peer
        self._address = address
        self._house = House(port, self._keys, self.settings, self._limits, entropy)

    def __repr__(self) -> str:
        return f"<RoomServer of {len(self._house.rooms)} rooms>"

    # --- what it is asked

    @property
    def rooms(self) -> dict[str, tuple[str, ...]]:
        """Who is in which room: names and identities, those too who are still joining."""
        return {name: tuple(room.members) for name, room in self._house.rooms.items()}

    @property
    def counters(self) -> Counter[str]:
        """How often something happened.

        joined, resumed; refused.STATUS at the door; left.REASON; forwarded (packets, not copies), dropped (copies);
        overrun, failed (participants); strange (datagrams that are for nobody).
        """
        return self._house.counters

    # --- HTTP

    def request(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes = b"", *, now: float
    ) -> RoomPage:
        """Answer a request that is no WebSocket.  Names of ``headers`` are in lower case."""
        self._pass_time(now)
        path = target.partition("?")[0]
        if method == "OPTIONS":
            return RoomPage(204, b"", _PREFLIGHT)
        if path.startswith(PREFIX) and method == "POST":
            try:
                grant: Grant | None = self._read_token(bearer(headers))
            except TokenRefused:
                grant = None
            return serve(self._house, path.removeprefix(PREFIX), grant, body)
        return said(200, "OK") if path == "/" else self._validate(target, headers)

    def _validate(self, target: str, headers: Mapping[str, str]) -> RoomPage:
        ask = read_ask(target, headers, self._limits)
        if isinstance(ask, RoomPage):
            return ask
        if ask is None or not ask.validate:
            return said(404, "404 page not found")
        admitted = self._admit(ask)
        return admitted if isinstance(admitted, RoomPage) else said(200, "success")

    def upgrade(self, link: LinkRef, target: str, headers: Mapping[str, str], *, now: float) -> RoomPage | None:
        """Somebody asks for a WebSocket.  None: it is to be opened, and its name is ``link``; else the refusal.

        LocalProtocolError: the link is another one's.
        """
        self._pass_time(now)
        if link in self._house.links:
            msg = "this link is a participant's already: give each its own LinkRef"
            raise LocalProtocolError(msg)
        refusal = self._accept(link, target, headers)
        if refusal is not None:
            self.counters[f"refused.{refusal.status}"] += 1
        return refusal

    def _accept(self, link: LinkRef, target: str, headers: Mapping[str, str]) -> RoomPage | None:
        ask = read_ask(target, headers, self._limits)
        if isinstance(ask, RoomPage):
            return ask
        if ask is None or ask.validate:
            return said(404, "404 page not found")
        grant = self._admit(ask)
        if isinstance(grant, RoomPage):
            return grant
        if ask.resume:
            self._resume(link, grant)
            return None
        return self._join(link, ask, grant)

    def _admit(self, ask: Ask) -> Grant | RoomPage:
        """Whether somebody is let in, as far as his token says so."""
        if not ask.token:
            return said(401, "no permissions to access the room")
        try:
            grant = self._read_token(ask.token)
        except TokenRefused as refused:
            return said(401, str(refused))
        if not grant.join or (ask.attributes and not grant.can_update_metadata):
            return said(401, "permissions denied")
        return self._named(grant) or grant

    def _named(self, grant: Grant) -> RoomPage | None:
        """The refusal of a token without proper names."""
        most = self.settings.identity_bytes
        for text, missing in ((grant.identity, "identity cannot be empty"), (grant.room, "no room name")):
            if not text:
                return said(400, missing)
            if len(text.encode()) > most:
                return said(400, f"{missing.partition(' ')[0]} {_TOO_LONG} {most}")
        return None

    def _read_token(self, token: str) -> Grant:
        now = self._house.clock.unix_now()
        if now is None:
            msg = "there is no wall clock to judge tokens by: give ClockSet first"
            raise LocalProtocolError(msg)
        most = self._limits.connection_string_chars
        return read_token(token, self._keys, now, most=most, leeway=self.settings.leeway_seconds)

    # --- joining and resuming

    def _join(self, link: LinkRef, ask: Ask, grant: Grant) -> RoomPage | None:
        house = self._house
        room = house.make_room(
            grant.room, most=grant.max_participants, empty=grant.empty_timeout, departure=grant.departure_timeout
        )
        if room is None:
            return said(503, "node has exceeded its configured limit")
        others = len(room.members) - (grant.identity in room.members)
        if room.is_full(grant.identity) or others >= self._limits.room_members:
            return said(500, "connection closed by media")
        participant = self._participant(ask, grant)
        if participant is None:
            return said(500, "connection closed by media")
        house.enter(participant)
        participant.link = link
        house.links[link] = participant
        join = livekit.JoinResponse(
            room=room.info(),
            participant=participant.info(),
            other_participants=room.seen_by(participant),
            ping_timeout=self.settings.ping_timeout,
            ping_interval=self.settings.ping_interval,
            server_info=self._server_info(),
        )
        house.tell(participant, livekit.SignalResponse(join=join))
        house.refresh(participant)
        if ask.offer is not None:
            take_offer(house, participant, ask.offer)
        house.wake(participant)
        return None

    def _participant(self, ask: Ask, grant: Grant) -> Participant | None:
        """Somebody new.  None: he says too much of himself."""

        def heard(message: bytes, reliable: bool) -> None:  # noqa: FBT001 - a callback's
            self._heard(participant, message, reliable=reliable)

        house = self._house
        connection = Connection(self._new_peer, self._address, heard, self._limits, now=house.clock.now)
        participant = Participant(house.sid("PA_"), grant, connection, protocol=ask.protocol, joined=house.unix_now())
        metadata = ask.metadata if grant.can_update_metadata else ""
        problem = change_metadata(
            participant, self.settings, name=grant.name, metadata=metadata, attributes=ask.attributes
        )
        return None if problem else participant

    def _server_info(self) -> livekit.ServerInfo:
        return livekit.ServerInfo(version=self.settings.version, protocol=_PROTOCOL, node_id="dcl-comms")

    def _resume(self, link: LinkRef, grant: Grant) -> None:
        """Somebody comes back by another socket."""
        house = self._house
        room = house.rooms.get(grant.room)
        participant = None if room is None else room.members.get(grant.identity)
        if room is None or participant is None or participant.connection.closed:
            house.send_leave(link, livekit.DisconnectReason.STATE_MISMATCH, livekit.LeaveAction.RECONNECT)
            house.hang_up(link)
            return
        self.counters["resumed"] += 1
        house.drop(participant)
        participant.link = link
        house.links[link] = participant
        if participant.lost:
            house.found(participant)
            # He has as long as from the start until datagrams come again.
            participant.connection.heard_at = house.clock.now
        response = livekit.ReconnectResponse(server_info=self._server_info(), last_message_seq=participant.last)
        house.tell(participant, livekit.SignalResponse(reconnect=response))
        everybody = [participant.info(), *room.seen_by(participant)]
        house.tell(participant, livekit.SignalResponse(update=livekit.ParticipantUpdate(participants=everybody)))
        update = livekit.RoomUpdate(room=room.info())
        house.tell(participant, livekit.SignalResponse(room_update=update))
        house.refresh(participant)
        house.wake(participant)

    # --- inputs and time

    def receive(self, inp: Input | PortInput, *, now: float) -> None:
        """Take what sockets and the port bring.  It never raises for what is in it.

        LocalProtocolError: it is nothing that a server takes.
        """
        self._pass_time(now)
        match inp:
            case DatagramsReceived():
                self._on_datagrams(inp)
            case FrameReceived():
                self._on_frame(inp)
            case SocketClosed():
                participant = self._house.links.pop(inp.link, None)
                if participant is not None:
                    self._house.socket_gone(participant)
            case ClockSet():
                self._house.clock.set_unix(inp.unix_offset)
            case SendAcknowledged():
                pass
            case _:
                msg = (
                    "a RoomServer takes FrameReceived, SocketClosed, DatagramsReceived and ClockSet, "
                    f"not {type(inp).__name__}"
                )
                raise LocalProtocolError(msg)

    def _on_datagrams(self, inp: DatagramsReceived) -> None:
        house = self._house
        last: Participant | None = None
        batch: list[bytes] = []
        for datagram in inp.datagrams:
            participant = house.routes.find(inp.remote, datagram)
            if participant is not last and last is not None:
                house.came(last, inp.remote, batch)
                batch = []
            last = participant
            if participant is None:
                house.counters["strange"] += 1
            else:
                batch.append(datagram)
        if last is not None:
            house.came(last, inp.remote, batch)
            if last.lost:
                house.found(last)

    def _on_frame(self, inp: FrameReceived) -> None:
        house = self._house
        participant = house.links.get(inp.link)
        if participant is None:
            return
        try:
            request = decode_message(livekit.SignalRequest, inp.data, limits=self._limits)
        except DecodeError:
            # He may come back by another socket.
            house.drop(participant)
            house.socket_gone(participant)
            return
        hear(house, participant, request)

    def _heard(self, participant: Participant, message: bytes, *, reliable: bool) -> None:
        receivers = forward(self._house.room_of(participant), participant, message, reliable=reliable)
        if receivers:
            self.counters["forwarded"] += 1
            self._house.announce(participant)
            self._house.spread(receivers)

    def deadline(self) -> float | None:
        """When to call ``handle_timeout`` at the latest; None: not needed."""
        return self._house.deadline()

    def handle_timeout(self, now: float) -> None:
        """Let time pass.  Calling it too early or too often does nothing."""
        self._pass_time(now)
        self._house.handle_timeout()

    def commands(self) -> list[Command | PortCommand]:
        """Take everything that sockets and the port are to do, in order."""
        return self._house.commands()

    def cut(self, room: str, identity: str, *, now: float) -> bool:
        """Close somebody's socket without a word, as a network may: he may resume.  False: he has none."""
        self._pass_time(now)
        house = self._house
        found = house.rooms.get(room)
        participant = None if found is None else found.members.get(identity)
        if participant is None or participant.link is None:
            return False
        house.drop(participant)
        house.socket_gone(participant)
        return True

    def close(self, *, now: float) -> None:
        """Tell everybody that the server ends; take the commands, and nothing comes after that."""
        self._pass_time(now)
        house = self._house
        for room in tuple(house.rooms.values()):
            for participant in tuple(room.members.values()):
                house.end(participant, livekit.DisconnectReason.SERVER_SHUTDOWN)

    def _pass_time(self, now: float) -> None:
        self._house.clock.pass_time(now)
