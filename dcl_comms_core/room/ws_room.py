"""WsRoomSession: a RoomSession over a WebSocket (a ws-room, rfc5).

It is a RoomSession whose inputs are made from a WebSocket's frames, the same inputs as over LiveKit.  What is
different: somebody has to sign a challenge, within a second (SignatureNeeded); everything goes to everybody, so ``to``
and ``topic`` are refused; a frame holds 16 KiB; there are no tracks; nothing says that a packet arrived.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Unpack

from dcl_comms_core import events as ev
from dcl_comms_core.adapters.connection_string import WsRoomAdapter
from dcl_comms_core.codec import decode_message
from dcl_comms_core.commands import CloseLink, OpenLink, SendFrame
from dcl_comms_core.errors import DecodeError, LocalProtocolError
from dcl_comms_core.handshake.challenge import KICKED, Failure, Handshake
from dcl_comms_core.handshake.frames import ws_room_service
from dcl_comms_core.inputs import (
    FrameReceived,
    LinkClosed,
    LinkFailed,
    SendAcknowledged,
    SocketClosed,
    SocketOpened,
)
from dcl_comms_core.proto import rfc5
from dcl_comms_core.room.incoming.members import Members
from dcl_comms_core.room.options import RoomOptions
from dcl_comms_core.room.outgoing.carriers import WsRoomCarrier
from dcl_comms_core.room.outgoing.confirmed import UNKNOWN_SILENCE
from dcl_comms_core.room.session import RoomSession
from dcl_comms_core.states import CloseReason, RoomState, Stage, Timer
from dcl_comms_core.tools.timers import earlier, earliest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dcl_comms_core.adapters.connection_string import Adapter
    from dcl_comms_core.adapters.url_guard import Place
    from dcl_comms_core.commands import Command
    from dcl_comms_core.identity.auth_chain import AuthChain
    from dcl_comms_core.identity.guard import ChallengeGuard
    from dcl_comms_core.inputs import Input, LinkInput, TrackSource
    from dcl_comms_core.room.options import RoomSettings
    from dcl_comms_core.room.outgoing.carriers import Carrier

__all__ = ["WsRoomSession"]


class WsRoomSession(RoomSession):
    """One ws-room.  Makes no connection, reads no clock, starts nothing.

    ``address``: the wallet's.  ``guard``: what may be signed, and where.  ``within``: where the server is that named
    the room, None: the user did.  The rest is a RoomSession's, whose verbs it has.  Its commands and inputs are
    those of a socket.
    """

    adapters: ClassVar[tuple[type[Adapter], ...]] = (WsRoomAdapter,)
    carrier: ClassVar[Carrier] = WsRoomCarrier()
    recallable: ClassVar[bool] = True

    def __init__(
        self,
        adapter: WsRoomAdapter,
        *,
        address: str,
        guard: ChallengeGuard,
        room: str = "main",
        link: int = 1,
        within: Place | None = None,
        options: RoomOptions | None = None,
        **settings: Unpack[RoomSettings],
    ) -> None:
        # Others are told of us before our first packet.
        chosen = replace(RoomOptions.of(options, settings), announce=False)
        super().__init__(adapter, room=room, link=link, options=chosen)
        self._handshake = Handshake(
            ws_room_service(self.limits),
            url=adapter.url,
            address=address,
            guard=guard,
            room=self.room,
            within=within,
            say=self._tell,
        )
        self._members = Members(
            self.output,
            self.clock,
            self.lifecycle,
            name=adapter.url.partition("?")[0].rpartition("/")[2],
            limits=self.limits,
        )

    @property
    def stage(self) -> Stage:
        """How far the handshake has come."""
        return self._handshake.stage

    def commands(self) -> list[Command]:
        """Take everything that the WebSocket is to do, in order."""
        commands = self._handshake.take_commands() if self._handshake.commands else []
        if not self.output.commands:
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
            self._handshake.begin(command.link, self.clock.now)
        else:
            self._link_news(LinkFailed(link=command.link, reason=refusal.reason, detail=refusal.detail))

    def deadline(self) -> float | None:
        """When to call ``handle_timeout`` at the latest; None: not needed.  May change with any other call."""
        return earlier(super().deadline(), self._handshake.deadline)

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
        self.clock.pass_time(now)
        failure = self._handshake.timed_out(self.clock.now)
        if failure is not None:
            self._fail(failure)
        super().handle_timeout(now)

    # --- intents

    def provide_signature(self, request: int, chain: AuthChain, *, now: float | None = None) -> None:
        """Answer SignatureNeeded.  An answer that nobody waits for any more is counted as late and ignored.

        LocalProtocolError: the chain signs another payload; InvalidAuthChain: it has expired (by ClockSet), or is
        malformed; PacketTooLarge: no server would take it.  Then nothing was sent, and another may be given.
        """
        self.output.touch()
        self.clock.pass_time(now)
        if not self._handshake.provide(request, chain, now=self.clock.now, unix_now=self.clock.unix_now()):
            self.output.counters["late"] += 1

    def refuse_signature(self, request: int, detail: str = "", *, now: float | None = None) -> None:
        """Answer SignatureNeeded: nobody will sign.  RoomClosed(NOT_SIGNED) follows."""
        self.output.touch()
        self.clock.pass_time(now)
        failure = self._handshake.refuse(request, detail)
        if failure is None:
            self.output.counters["late"] += 1
        else:
            self._fail(failure)

    def check_publish(self, source: TrackSource) -> None:
        """LocalProtocolError: a ws-room carries no sound and no pictures."""
        msg = f"a ws-room has no tracks, so nothing of {source.value}: publish in a LiveKit room"
        raise LocalProtocolError(msg)

    # --- inputs

    def receive(self, inp: Input, *, now: float) -> None:
        """Take a fact from outside.  LocalProtocolError: not an input, or the host gave a time that is not finite."""
        self.output.touch()
        self.clock.pass_time(now)
        if isinstance(inp, FrameReceived):
            if inp.link != self.link or self._handshake.stage is Stage.IDLE or self.state is RoomState.CLOSED:
                self.output.counters["late"] += 1
            else:
                self._on_frame(inp.data)
        elif isinstance(inp, SendAcknowledged):
            # The handshake's own frames have the token 0.
            if inp.token:
                super().receive(inp, now=now)
        elif not isinstance(inp, SocketOpened | SocketClosed):
            super().receive(inp, now=now)
        elif inp.link != self.link or self.state is RoomState.CLOSED:
            self.output.counters["late"] += 1
        elif isinstance(inp, SocketOpened):
            if not self._handshake.opened(self.clock.now):
                self.output.counters["late"] += 1
        else:
            silent = UNKNOWN_SILENCE if inp.silent is None else inp.silent
            self._over(self._handshake.closed(inp), None if inp.reason is CloseReason.CLIENT else silent)

    def receive_acknowledged(self, tokens: Iterable[int], *, now: float) -> None:
        """Take acknowledgements of frames of the current socket, none of which failed."""
        super().receive_acknowledged([token for token in tokens if token], now=now)

    def _on_frame(self, data: bytes) -> None:
        try:
            packet = decode_message(rfc5.WsPacket, data, limits=self.limits)
        except DecodeError:
            self.output.counters["undecodable"] += 1
            return
        update = packet.peer_update_message
        if self._handshake.stage is not Stage.WELCOMED:
            self._on_handshake(packet)
        elif update is not None:
            self.receive_data(
                self._members.address(update.from_alias),
                update.body,
                reliable=not update.unreliable,
                now=self.clock.now,
                source=update.from_alias,
            )
        elif packet.peer_join_message is not None:
            joined = packet.peer_join_message
            self._link_news(*self._members.join(joined.alias, joined.address))
        elif packet.peer_leave_message is not None:
            self._link_news(*self._members.leave(packet.peer_leave_message.alias))
        elif packet.peer_kicked is not None:
            self._on_kicked(KICKED)
        else:
            self.output.counters["ignored"] += 1

    def _on_handshake(self, packet: rfc5.WsPacket) -> None:
        challenge = packet.challenge_message
        if challenge is not None:
            answer = self._handshake.challenged(
                challenge.challenge_to_sign, already=challenge.already_connected, now=self.clock.now
            )
            if isinstance(answer, Failure):
                self._fail(answer)
            elif answer:
                return
        elif packet.welcome_message is not None and self._handshake.welcomed(self.clock.now):
            self._link_news(*self._members.welcome(packet.welcome_message, self._handshake.identity))
            return
        elif packet.peer_kicked is not None:
            # The reason that it gives is the same for a full room and for a second login.
            if self._handshake.stage is Stage.IDENTIFYING:
                self._on_kicked(Failure(CloseReason.ROOM_FULL, "kicked instead of challenged"))
            else:
                self._on_kicked(Failure(CloseReason.DUPLICATE_IDENTITY, "kicked instead of welcomed"))
            return
        self.output.counters["ignored"] += 1

    def _on_kicked(self, why: Failure) -> None:
        self._tell(ev.Kicked(at=self.clock.now, room=self.room, cause=why.reason, detail=why.detail))
        self._fail(why)

    # --- the end of a socket

    def _fail(self, failure: Failure) -> None:
        """Hang up."""
        self._handshake.hang_up()
        self._over(failure)

    def _over(self, failure: Failure, silent: float | None = None) -> None:
        self._link_news(LinkClosed(link=self.link, reason=failure.reason, detail=failure.detail, silent=silent))

    def _link_news(self, *inputs: LinkInput) -> None:
        for inp in inputs:
            super().receive(inp, now=self.clock.now)

    def _tell(self, event: ev.Event) -> None:
        self.output.events.append(event)
