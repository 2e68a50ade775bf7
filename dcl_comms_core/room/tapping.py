"""A room's packets, told to a tap as they pass: what stands in the place of the plain parts where there is a tap."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcl_comms_core.commands import SendData

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dcl_comms_core.commands import Command
    from dcl_comms_core.inputs import LinkRef, SendAcknowledged
    from dcl_comms_core.peers import PeerId
    from dcl_comms_core.room.incoming.inbound import Inbound
    from dcl_comms_core.room.outgoing.carriers import Carrier
    from dcl_comms_core.room.outgoing.outbound import Outbound
    from dcl_comms_core.room.outgoing.outbox import Outgoing
    from dcl_comms_core.tap import Tap
    from dcl_comms_core.tools.clock import Clock

    Messages = list[tuple[bytes, tuple[str, ...] | None, str]]

__all__ = ["TappedCarrier", "Tapping"]


class Tapping:
    """Stands before a room's inbound, and before what takes its acknowledgements."""

    __slots__ = ("_clock", "_inbound", "_outbound", "_peer_id", "_room", "_tap")

    def __init__(self, tap: Tap, room: str, clock: Clock, inbound: Inbound, outbound: Outbound) -> None:
        self._tap = tap
        self._room = room
        self._clock = clock
        self._inbound = inbound
        self._outbound = outbound

    def receive(
        self, sender: str | None, data: bytes, reliable: bool, topic: str, now: float, source: int | None
    ) -> str:
        """Take a packet, as Inbound does."""
        who: PeerId | None = self._inbound.sender(sender)
        verdict = self._inbound.receive(sender, data, reliable, topic, now, source)
        private = topic != "" and self._inbound.is_private(topic)
        self._tap.received(
            self._clock.now, self._room, who, data, reliable=reliable, topic=topic, private=private, verdict=verdict
        )
        return verdict

    def acknowledge(self, inp: SendAcknowledged) -> None:
        """Take an acknowledgement, as Outbound does."""
        self._outbound.acknowledge(inp)
        self._tap.acknowledged(self._clock.now, self._room, (inp.token,), failed=bool(inp.error))

    def acknowledge_all(self, tokens: Iterable[int]) -> None:
        """Take acknowledgements, as Outbound does."""
        taken = tuple(tokens)
        self._outbound.acknowledge_all(taken)
        self._tap.acknowledged(self._clock.now, self._room, taken, failed=False)


class TappedCarrier:
    """A transport's rules, told of what is given to it."""

    __slots__ = ("_carrier", "_clock", "_room", "_tap")

    def __init__(self, tap: Tap, room: str, clock: Clock, carrier: Carrier) -> None:
        self._tap = tap
        self._room = room
        self._clock = clock
        self._carrier = carrier

    @property
    def addresses(self) -> bool:
        """Whether a packet may be for some alone, or have a topic."""
        return self._carrier.addresses

    def check(self, messages: Messages, *, identity: str, reliable: bool, sequence: int) -> None:
        """PacketTooLarge, LocalProtocolError: the transport would not take them."""
        self._carrier.check(messages, identity=identity, reliable=reliable, sequence=sequence)

    def command(self, link: LinkRef, message: Outgoing) -> Command:
        """What sends a packet."""
        sent = SendData(
            link=link,
            token=message.token,
            data=message.data,
            to=message.to,
            reliable=message.reliable,
            topic=message.topic,
        )
        self._tap.sent(self._clock.now, self._room, sent)
        return self._carrier.command(link, message)
