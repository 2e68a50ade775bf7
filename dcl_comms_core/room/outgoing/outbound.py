"""The half of a room session on its way out: what may be sent, the queue, credits and acknowledgements."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from dcl_comms_core import events as ev
from dcl_comms_core.commands import SendData
from dcl_comms_core.errors import LocalProtocolError, PacketTooLarge, PermissionMissing
from dcl_comms_core.packets.envelope import LIVEKIT_MAX_PACKET, livekit_packet_size
from dcl_comms_core.room.outgoing.intents import Intents
from dcl_comms_core.room.outgoing.outbox import Outbox
from dcl_comms_core.states import RoomState

if TYPE_CHECKING:
    from dcl_comms_core.adapters.token import AccessToken
    from dcl_comms_core.commands import Command
    from dcl_comms_core.inputs import LinkRef, SendAcknowledged, TrackSource
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.peers import PeerId
    from dcl_comms_core.room.outgoing.outbox import Outgoing

__all__ = ["Sending"]

_OPEN: Final = RoomState.OPEN  # looking it up in its enum, or in a set, takes longer than the question
_SENDING: Final = frozenset({_OPEN, RoomState.RECONNECTING, RoomState.WAITING})


class Sending(Intents):
    """Carries out intents: checks them, queues packets, and gives the transport what has credit."""

    def __init__(self, room: str, link: LinkRef, token: AccessToken | None, limits: Limits) -> None:
        super().__init__(limits)
        self._room = room
        self._link = link
        self._token = token
        self._state = RoomState.NEW
        self._outbox = Outbox(limits)
        self._flowing = False
        self._commands: list[Command] = []
        self._events: list[ev.Event] = []
        self._received = 0
        self._received_bytes = 0
        self._counters: Counter[str] = Counter()

    @property
    def state(self) -> RoomState:
        """Where the session stands."""
        return self._state

    @property
    def room(self) -> str:
        """The label of this room in events."""
        return self._room

    @property
    def identity(self) -> PeerId | None:
        """Who we are; None before the room opened."""
        return self._identity

    def commands(self) -> list[Command]:
        """Take everything that the transport is to do, in order."""
        commands, self._commands = self._commands, []
        return commands

    def events(self) -> list[ev.Event]:
        """Take everything that happened, in order."""
        events, self._events = self._events, []
        return events

    @property
    def counters(self) -> Counter[str]:
        """How often: received, received_bytes, rejected.<reason name>, dropped.<name in Limits>, late, unknown_track.

        Of packets that are old news (see ``dcl_comms_core.room.incoming.filters``): dropped.late and so on.
        And reconnected; of our own packets: sent, sent_bytes, send_failed, unconfirmed (the link ended before it
        acknowledged them), dropped (the room closed before their turn),
        skipped (movements and the like that go out by themselves, while the queue was full).
        """
        # Numbers apart, because counting in a Counter takes three times as long, for each packet.
        self._counters["received"] = self._received
        self._counters["received_bytes"] = self._received_bytes
        return self._counters

    @property
    def sending(self) -> bool:
        """Whether packets are taken, be it to wait: from RoomOpened to RoomClosed, or to our ``close()``."""
        return self._state in _SENDING

    @property
    def flowing(self) -> bool:
        """Whether packets go to the transport as it has credit, and do not wait for its link."""
        return self._flowing and self._state is _OPEN

    @property
    def waiting(self) -> int:
        """Packets that wait for credit."""
        return self._outbox.waiting

    @property
    def waiting_bytes(self) -> int:
        """What the packets that wait for credit hold."""
        return self._outbox.waiting_bytes

    @property
    def in_flight_bytes(self) -> int:
        """What the packets hold that the transport has and did not acknowledge yet."""
        return self._outbox.in_flight_bytes

    @property
    def credits(self) -> int:
        """Further packets that the transport would take now; 0 while there is no link that takes any."""
        return self._outbox.credits if self.flowing else 0

    @property
    def unacknowledged(self) -> int:
        """Packets that wait for credit or for the transport's acknowledgement."""
        return self._outbox.waiting + self._outbox.in_flight

    def has_credit(self, *, reliable: bool = True) -> bool:
        """Whether a packet sent now goes straight to the transport: for sure if it is small."""
        return self._flowing and self._state is _OPEN and self._outbox.has_credit(reliable=reliable)

    def _put(
        self, messages: list[tuple[bytes, tuple[str, ...] | None, str]], *, reliable: bool, now: float | None
    ) -> None:
        self.check_sending(now)
        self._check_sizes(messages, reliable=reliable)
        if self._flowing and len(messages) == 1:
            data, to, topic = messages[0]
            message = self._outbox.give(data, to, topic, reliable=reliable)
            if message is not None:
                self._commands.append(self._outgoing(message))
                return
        self._outbox.put(messages, reliable=reliable, flowing=self._flowing)
        self._send_queued()

    def _check_sizes(self, messages: list[tuple[bytes, tuple[str, ...] | None, str]], *, reliable: bool) -> None:
        """Will the transport take them?  PacketTooLarge, LocalProtocolError: no."""
        identity = "" if self._identity is None else self._identity.text
        for number, (data, to, topic) in enumerate(messages, self._outbox.next_sequence):
            try:
                size = livekit_packet_size(
                    len(data), identity=identity, to=to, topic=topic, reliable=reliable, sequence=number
                )
            except UnicodeEncodeError:
                msg = "an identity or the topic holds half a surrogate pair, which no transport can carry"
                raise LocalProtocolError(msg) from None
            if size > LIVEKIT_MAX_PACKET:
                raise PacketTooLarge(size, LIVEKIT_MAX_PACKET)

    def check_sending(self, now: float | None = None) -> None:
        """May we send?  LocalProtocolError: the room is not open; PermissionMissing: no."""
        self._pass_time(now)
        if self._state is not _OPEN and self._state not in _SENDING:
            msg = f"the room is {self._state.value}: send between RoomOpened and RoomClosed"
            raise LocalProtocolError(msg)
        token = self._token
        if token is not None and not token.grants.can_publish_data:
            raise PermissionMissing("canPublishData", "the server would drop every packet in silence")

    def check_publish(self, source: TrackSource) -> None:
        """May we publish a track from this source?  LocalProtocolError: the room is not open; PermissionMissing: no."""
        if self._state is not RoomState.OPEN:
            msg = f"the room is {self._state.value}: publish after RoomOpened"
            raise LocalProtocolError(msg)
        token = self._token
        if token is not None and not token.may_publish(source.value):
            raise PermissionMissing("canPublishSources", f"{source.value} is not among the sources")

    def _on_acknowledged(self, inp: SendAcknowledged) -> None:
        size = self._outbox.acknowledge(inp.token)
        if size is None:
            self.counters["late"] += 1
            return
        if inp.error:
            self.counters["send_failed"] += 1
            self._warn(ev.WarningCode.SEND_FAILED, inp.error)
        else:
            self.counters["sent"] += 1
            self.counters["sent_bytes"] += size
        self._send_queued()

    def _send_queued(self) -> None:
        """Give the transport what has credit, unless it is repairing its connection."""
        if not self._flowing:
            return
        self._commands += map(self._outgoing, self._outbox.take())

    def _outgoing(self, message: Outgoing) -> Command:
        """The command that sends a packet."""
        return SendData(
            link=self._link,
            token=message.token,
            data=message.data,
            to=message.to,
            reliable=message.reliable,
            topic=message.topic,
        )

    def _warn(self, code: ev.WarningCode, text: str) -> None:
        self._events.append(ev.Warning(at=self._now, room=self._room, code=code, text=text))
