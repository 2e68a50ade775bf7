"""WsRoomSession: a RoomSession over a WebSocket (a ws-room, rfc5).

It is a RoomSession that is told the same as over LiveKit; this module stands between it and a WebSocket.  What is
different: somebody has to sign a challenge, within a second (SignatureNeeded); everything goes to everybody, so ``to``
and ``topic`` are refused; a frame holds 16 KiB; there are no tracks; nothing says that a packet arrived.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from dcl_comms_core import events as ev
from dcl_comms_core.adapters.connection_string import WsRoomAdapter
from dcl_comms_core.codec import decode_message
from dcl_comms_core.commands import CloseLink, OpenLink, SendFrame
from dcl_comms_core.errors import DecodeError, LocalProtocolError, PacketTooLarge
from dcl_comms_core.handshake.challenge import Failure, Handshake
from dcl_comms_core.handshake.frames import update_frame, ws_room_service
from dcl_comms_core.inputs import (
    FrameReceived,
    LinkClosed,
    LinkFailed,
    LinkOpened,
    Participant,
    ParticipantJoined,
    ParticipantLeft,
    SendAcknowledged,
    SocketClosed,
    SocketOpened,
)
from dcl_comms_core.limits import DEFAULT_LIMITS
from dcl_comms_core.packets.envelope import WEBSOCKET_MAX_FRAME, ws_room_frame_size
from dcl_comms_core.proto import rfc5
from dcl_comms_core.room.options import Delivery
from dcl_comms_core.room.session import RoomSession
from dcl_comms_core.states import CloseReason, RoomState, Stage, Timer
from dcl_comms_core.tools.timers import earliest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dcl_comms_core.adapters.connection_string import Adapter
    from dcl_comms_core.adapters.url_guard import Place
    from dcl_comms_core.commands import Command
    from dcl_comms_core.identity.auth_chain import AuthChain
    from dcl_comms_core.identity.guard import ChallengeGuard
    from dcl_comms_core.inputs import Input, LinkInput, TrackSource
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.packets.movement import MovementCodec
    from dcl_comms_core.room.incoming.dedupe import Seen
    from dcl_comms_core.room.outgoing.outbox import Outgoing
    from dcl_comms_core.tools.backoff import Backoff

__all__ = ["WsRoomSession"]

_FITS: Final = WEBSOCKET_MAX_FRAME - 16
"""A packet of so many bytes fits into a frame, whatever else is in it."""


class WsRoomSession(RoomSession):
    """One ws-room.  Makes no connection, reads no clock, starts nothing.

    ``address``: the wallet's.  ``guard``: what may be signed, and where.  ``within``: where the server is that named
    the room, None: the user did.  The rest is a RoomSession's, whose verbs it has.  Its commands and inputs are
    those of a socket.
    """

    _adapters: ClassVar[tuple[type[Adapter], ...]] = (WsRoomAdapter,)

    def __init__(  # noqa: PLR0913 - settings, each by its name
        self,
        adapter: WsRoomAdapter,
        *,
        address: str,
        guard: ChallengeGuard,
        room: str = "main",
        link: int = 1,
        limits: Limits = DEFAULT_LIMITS,
        entropy: int = 0,
        reconnect: Backoff | None = None,
        delivery: Delivery = Delivery.EVENTS,
        seen: Seen | None = None,
        movement_codec: MovementCodec | None = None,
        profile_version: int | None = None,
        silent: bool = False,
        within: Place | None = None,
    ) -> None:
        super().__init__(
            adapter,
            room=room,
            link=link,
            limits=limits,
            entropy=entropy,
            reconnect=reconnect,
            delivery=delivery,
            # Others are told of us before our first packet.
            announce=False,
            seen=seen,
            movement_codec=movement_codec,
            profile_version=profile_version,
            silent=silent,
        )
        self._name = adapter.url.partition("?")[0].rpartition("/")[2]
        self._handshake = Handshake(
            ws_room_service(limits),
            url=adapter.url,
            address=address,
            guard=guard,
            room=room,
            within=within,
            say=self._tell,
        )
        self._aliases = _Aliases(limits.aliases)
        self._told_full = False

    @property
    def stage(self) -> Stage:
        """How far the handshake has come."""
        return self._handshake.stage

    def commands(self) -> list[Command]:
        """Take everything that the WebSocket is to do, in order."""
        commands = self._handshake.take_commands() if self._handshake.commands else []
        if not self._commands:
            return commands
        for command in super().commands():
            if isinstance(command, SendFrame):
                commands.append(command)
            elif isinstance(command, OpenLink):
                self._open_socket(command)
                commands += self._handshake.take_commands()
            elif isinstance(command, CloseLink):
                self._handshake.hang_up(command.drain)
                commands += self._handshake.take_commands()
        return commands

    def _open_socket(self, command: OpenLink) -> None:
        refusal = self._handshake.refusal()
        if refusal is None:
            self._handshake.begin(command.link, self._now)
        else:
            self._link_news(LinkFailed(link=command.link, reason=refusal.reason, detail=refusal.detail))

    def deadline(self) -> float | None:
        """When to call ``handle_timeout`` at the latest; None: not needed.  May change with any other call."""
        ours, stage = self._timers.deadline, self._handshake.deadline
        return ours if stage is None or (ours is not None and ours <= stage) else stage

    @property
    def deadline_reason(self) -> Timer | None:
        """The timer behind the deadline."""
        return super().deadline_reason if self.deadline() == super().deadline() else Timer.STAGE

    @property
    def timers(self) -> Mapping[Timer, float]:
        """Every timer that runs, and when it is due."""
        return earliest([*super().timers.items(), (Timer.STAGE, self._handshake.deadline)])

    def handle_timeout(self, now: float) -> None:
        """Let time pass.  Calling it too early or too often does nothing."""
        self._pass_time(now)
        failure = self._handshake.timed_out(self._now)
        if failure is not None:
            self._fail(failure)
        super().handle_timeout(now)

    # --- intents

    def provide_signature(self, request: int, chain: AuthChain, *, now: float | None = None) -> None:
        """Answer SignatureNeeded.  An answer that nobody waits for any more is counted as late and ignored.

        LocalProtocolError: the chain signs another payload; InvalidAuthChain: it has expired (by ClockSet), or is
        malformed; PacketTooLarge: no server would take it.  Then nothing was sent, and another may be given.
        """
        self._pass_time(now)
        unix_now = None if self._unix_offset is None else self._now + self._unix_offset
        if not self._handshake.provide(request, chain, now=self._now, unix_now=unix_now):
            self.counters["late"] += 1

    def refuse_signature(self, request: int, detail: str = "", *, now: float | None = None) -> None:
        """Answer SignatureNeeded: nobody will sign.  RoomClosed(NOT_SIGNED) follows."""
        self._pass_time(now)
        failure = self._handshake.refuse(request, detail)
        if failure is None:
            self.counters["late"] += 1
        else:
            self._fail(failure)

    def check_publish(self, source: TrackSource) -> None:
        """LocalProtocolError: a ws-room carries no sound and no pictures."""
        msg = f"a ws-room has no tracks, so nothing of {source.value}: publish in a LiveKit room"
        raise LocalProtocolError(msg)

    def _check_sizes(self, messages: list[tuple[bytes, tuple[str, ...] | None, str]], *, reliable: bool) -> None:
        for data, to, topic in messages:
            if to is not None or topic:
                msg = "a ws-room sends everything to everybody: leave out to= and topic=, or send in a LiveKit room"
                raise LocalProtocolError(msg)
            if len(data) > _FITS and (size := ws_room_frame_size(len(data), reliable=reliable)) > WEBSOCKET_MAX_FRAME:
                raise PacketTooLarge(size, WEBSOCKET_MAX_FRAME)

    def _outgoing(self, message: Outgoing) -> Command:
        frame = update_frame(message.data, reliable=message.reliable)
        return SendFrame(link=self._link, token=message.token, data=frame)

    # --- inputs

    def receive(self, inp: Input, *, now: float) -> None:
        """Take a fact from outside.  LocalProtocolError: not an input, or the host gave a time that is not finite."""
        self._pass_time(now)
        if isinstance(inp, FrameReceived):
            if inp.link != self._link or self._handshake.stage is Stage.IDLE or self._state is RoomState.CLOSED:
                self.counters["late"] += 1
            else:
                self._on_frame(inp.data)
        elif isinstance(inp, SendAcknowledged):
            # The handshake's own frames have the token 0.
            if inp.token:
                super().receive(inp, now=now)
        elif not isinstance(inp, SocketOpened | SocketClosed):
            super().receive(inp, now=now)
        elif inp.link != self._link or self._state is RoomState.CLOSED:
            self.counters["late"] += 1
        elif isinstance(inp, SocketOpened):
            if not self._handshake.opened(self._now):
                self.counters["late"] += 1
        else:
            self._over(self._handshake.closed(inp))

    def receive_acknowledged(self, tokens: Iterable[int], *, now: float) -> None:
        """Take acknowledgements of frames of the current socket, none of which failed."""
        super().receive_acknowledged([token for token in tokens if token], now=now)

    def _on_frame(self, data: bytes) -> None:
        try:
            packet = decode_message(rfc5.WsPacket, data, limits=self._limits)
        except DecodeError:
            self.counters["undecodable"] += 1
            return
        update = packet.peer_update_message
        if self._handshake.stage is not Stage.WELCOMED:
            self._on_handshake(packet)
        elif update is not None:
            self.receive_data(
                self._aliases.address(update.from_alias),
                update.body,
                reliable=not update.unreliable,
                now=self._now,
                source=update.from_alias,
            )
        elif packet.peer_join_message is not None:
            self._on_join(packet.peer_join_message)
        elif packet.peer_leave_message is not None:
            self._on_leave(packet.peer_leave_message.alias)
        elif packet.peer_kicked is not None:
            self._on_kicked(CloseReason.DUPLICATE_IDENTITY, "the same wallet logged in again")
        else:
            self.counters["ignored"] += 1

    def _on_handshake(self, packet: rfc5.WsPacket) -> None:
        challenge = packet.challenge_message
        if challenge is not None:
            answer = self._handshake.challenged(
                challenge.challenge_to_sign, already=challenge.already_connected, now=self._now
            )
            if isinstance(answer, Failure):
                self._fail(answer)
            elif answer:
                return
        elif packet.welcome_message is not None and self._handshake.welcomed(self._now):
            self._on_welcome(packet.welcome_message)
            return
        elif packet.peer_kicked is not None:
            # The reason that it gives is the same for a full room and for a second login.
            if self._handshake.stage is Stage.IDENTIFYING:
                self._on_kicked(CloseReason.ROOM_FULL, "kicked instead of challenged")
            else:
                self._on_kicked(CloseReason.DUPLICATE_IDENTITY, "kicked instead of welcomed")
            return
        self.counters["ignored"] += 1

    def _on_welcome(self, message: rfc5.WsWelcome) -> None:
        mine = self._handshake.identity
        self._aliases.clear()
        self._told_full = False
        for alias in sorted(message.peer_identities):
            address = message.peer_identities[alias]
            if address.lower() != mine and not self._aliases.put(alias, address):
                self._on_too_many()
        self._link_news(
            LinkOpened(
                link=self._link,
                identity=mine,
                room=self._name,
                participants=self._aliases.participants(),
            )
        )

    def _on_join(self, message: rfc5.WsPeerJoin) -> None:
        alias, address = message.alias, message.address
        known = self._aliases.address(alias)
        if known == address or address.lower() == self._handshake.identity:
            # Told before, or ourselves: the session that will end ours.
            self.counters["ignored"] += 1
            return
        if known is not None:
            self._on_leave(alias)
        if self._aliases.put(alias, address):
            member = _participant(alias, address)
            self._link_news(ParticipantJoined(link=self._link, participant=member, source=alias))
        else:
            self._on_too_many()

    def _on_too_many(self) -> None:
        self.counters["dropped.aliases"] += 1
        if not self._told_full:
            self._told_full = True
            limit = self._limits.aliases
            self._tell(ev.LimitReached(at=self._now, room=self._room, limit="aliases", value=limit))

    def _on_leave(self, alias: int) -> None:
        gone = self._aliases.pop(alias)
        if gone is None:
            self.counters["ignored"] += 1
            return
        self._told_full = False
        address, last = gone
        if last:
            self._link_news(ParticipantLeft(link=self._link, identity=address))

    def _on_kicked(self, cause: CloseReason, detail: str) -> None:
        self._tell(ev.Kicked(at=self._now, room=self._room, cause=cause, detail=detail))
        self._fail(Failure(cause, detail))

    # --- the end of a socket

    def _fail(self, failure: Failure) -> None:
        """End it ourselves."""
        self._handshake.hang_up()
        self._over(failure)

    def _over(self, failure: Failure) -> None:
        self._link_news(LinkClosed(link=self._link, reason=failure.reason, detail=failure.detail))

    def _link_news(self, inp: LinkInput) -> None:
        super().receive(inp, now=self._now)

    def _tell(self, event: ev.Event) -> None:
        self._events.append(event)


class _Aliases:
    """Who is behind the numbers that name senders.  One wallet may have two, while its older session is ending."""

    __slots__ = ("_addresses", "_limit", "_newest")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._addresses: dict[int, str] = {}
        self._newest: dict[str, int] = {}
        """Address in lower case -> its newest alias."""

    def clear(self) -> None:
        self._addresses.clear()
        self._newest.clear()

    def address(self, alias: int) -> str | None:
        return self._addresses.get(alias)

    def put(self, alias: int, address: str) -> bool:
        """Remember one.  False: the table is full."""
        if len(self._addresses) >= self._limit:
            return False
        self._addresses[alias] = address
        self._newest[address.lower()] = alias
        return True

    def pop(self, alias: int) -> tuple[str, bool] | None:
        """Forget one.  Returns whose it was, and whether that one is gone now; None: it was not known."""
        address = self._addresses.pop(alias, None)
        if address is None:
            return None
        # The newer one may have left before, and it was told that nobody is there.
        last = self._newest.get(address.lower()) == alias
        if last:
            del self._newest[address.lower()]
        return address, last

    def participants(self) -> tuple[Participant, ...]:
        """Everybody, once."""
        return tuple(_participant(alias, self._addresses[alias]) for alias in self._newest.values())


def _participant(alias: int, address: str) -> Participant:
    return Participant(identity=address, sid=str(alias))
