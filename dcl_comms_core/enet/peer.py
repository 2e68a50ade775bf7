"""One connection: how it begins, what its commands do, how it ends.

The same machine stands on both sides.  Who connects sends CONNECT and is in when VERIFY_CONNECT comes; who is connected
to answers with that and is in when it is acknowledged: not before is the address proved, and until then no more bytes
are sent to it than came from it.

A DISCONNECT has to bear a control number that can come next.  Who can't see the line, but writes the other side's
address on his datagrams, has to guess it and the session.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any, ClassVar, Final

from dcl_comms_core.enet import wire
from dcl_comms_core.enet.delivery import Delivery, EnetEnd
from dcl_comms_core.enet.incoming import Incoming, Take, Unsequenced, Waiting
from dcl_comms_core.enet.outgoing import Outgoing
from dcl_comms_core.enet.round_trip import RoundTrip
from dcl_comms_core.enet.terms import NO_SESSION, agreed, next_session, offer
from dcl_comms_core.errors import LocalProtocolError, PacketTooLarge, SendQueueFull
from dcl_comms_core.states import ENET_TRANSITIONS, EnetState, EnetTrigger, Timer

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

    from dcl_comms_core.enet.ground import Ground
    from dcl_comms_core.enet.outgoing import Sent

__all__ = ["EnetConnected", "EnetDisconnected", "EnetEvent", "EnetMessage", "EnetPeer"]

_CONTROL_AHEAD: Final = 16
"""How far ahead of the last control command one may be: of pings, one is on its way at a time."""
_GIVE_UP_ATTEMPTS: Final = 6
"""Sent so often, a command may be given up after ``timeout_least``."""
_UINT32: Final = 0xFFFF_FFFF
_ANSWER_BYTES: Final = 48
"""Of a datagram with VERIFY_CONNECT; that of a CONNECT is longer."""
_SANE_ROUND_TRIP: Final = 32.768
"""Seconds: half of what a stamp of 16 bits can tell."""
_ONLY_TOLD: Final = frozenset({wire.SEND_UNRELIABLE, wire.UNRELIABLE_FRAGMENT, wire.SEND_UNSEQUENCED})
_NOTHING_RUNS: Final = frozenset({EnetState.NEW, EnetState.CLOSED})


@dataclass(slots=True, kw_only=True)
class EnetConnected:
    """The other side answered, and its address is proved."""

    peer: EnetPeer
    data: int
    """What the side that connects says with it, 32 bits; 0 for that side itself."""


@dataclass(slots=True, kw_only=True)
class EnetDisconnected:
    """The connection is over; nothing follows of this peer."""

    peer: EnetPeer
    end: EnetEnd
    data: int
    """What who left says with it, 32 bits; 0 if nobody did."""


@dataclass(slots=True)
class EnetMessage:
    """A message came."""

    peer: EnetPeer
    channel: int
    data: bytes
    delivery: Delivery


class EnetPeer:
    """One connection of an EnetClient or an EnetHost, which make it."""

    def __init__(self, ground: Ground, address: Hashable, sessions: tuple[int, int] = (NO_SESSION, NO_SESSION)) -> None:
        self.address = address
        """Where the other side is, as the driver names it."""
        self.user: Any = None
        """Whatever its user wants to find there again."""
        self.state = EnetState.NEW
        self.bandwidth = 0, 0
        """What the other side says that it takes and sends, in bytes a second; 0: without limit."""
        options, limits = ground.options, ground.limits
        self.round_trip = RoundTrip(options.first_round_trip, options.least_resend)
        self.channels = options.channels
        self._ground = ground
        self._options = options
        self._limits = limits
        self._counts = ground.counts
        self._out = Outgoing(options, self.round_trip)
        self._waiting = Waiting(limits.enet_waiting_bytes)
        self._incoming: dict[int, Incoming] = {}
        self._unsequenced = Unsequenced()
        self._control = 0
        """The newest control number of the other side."""
        self._id = 0
        self._remote_id = wire.NOBODY
        self._terms: wire.Terms | None = None
        """What we said when we met."""
        self.sessions = sessions
        """That of what comes, that of what goes; 255 before the first connection at this place."""
        self._data = 0
        self._heard_at = 0.0
        self._prove_at = inf
        self._credit = 0
        """Bytes that may be sent to an address that is not proved."""
        self._verify: Sent | None = None
        self._proof: tuple[int, int] | None = None
        """Number and time of the answer to our CONNECT, until we know that the other side knows that we have it."""
        self._leaving_with = 0

    # --- what it is asked

    @property
    def waiting_bytes(self) -> int:
        """Bytes of memory of what came and is not told yet, because something before it is missing."""
        return self._waiting.size

    @property
    def queued_bytes(self) -> int:
        """Bytes of memory of what waits to go out, or to be acknowledged."""
        return self._out.queued

    @property
    def mtu(self) -> int:
        """Bytes of a datagram, at most, as both sides agreed."""
        return self._out.mtu

    @property
    def open(self) -> bool:
        """Whether messages may be sent."""
        return self.state is EnetState.CONNECTED

    # --- intents

    def send(self, data: bytes, *, channel: int = 0, delivery: Delivery = Delivery.RELIABLE) -> None:
        """Queue a message of any length up to Limits.enet_packet_bytes.

        LocalProtocolError: not connected, or no such channel.  PacketTooLarge.  SendQueueFull: Limits.enet_send_bytes
        wait already, nothing is queued.
        """
        self._check_sending(channel)
        size = len(data)
        if size > self._limits.enet_packet_bytes:
            raise PacketTooLarge(size, self._limits.enet_packet_bytes)
        if self._out.queued + self._out.memory(size) > self._limits.enet_send_bytes:
            msg = f"{self._out.queued} bytes wait to be sent: wait until they are acknowledged"
            raise SendQueueFull(msg)
        payload = bytes(data)
        self._ground.touch(self)
        if delivery is Delivery.RELIABLE:
            self._out.reliable(channel, payload)
        elif delivery is Delivery.UNRELIABLE:
            self._out.unreliable(channel, payload)
        else:
            self._out.unsequenced(channel, payload)

    def send_many(self, messages: Iterable[bytes], *, channel: int = 0) -> None:
        """Queue messages that may be lost: as ``send`` of each with Delivery.UNRELIABLE, in much less time.

        It raises what ``send`` raises for the first of them that it would raise for; those before are queued.
        """
        self._check_sending(channel)
        self._ground.touch(self)
        rest = self._out.pass_on(channel, messages, self._limits)
        for data in rest:
            self.send(data, channel=channel, delivery=Delivery.UNRELIABLE)

    def _check_sending(self, channel: int) -> None:
        if self.state is not EnetState.CONNECTED:
            msg = f"the connection is {self.state.value}: send between EnetConnected and EnetDisconnected"
            raise LocalProtocolError(msg)
        if not 0 <= channel < self.channels:
            msg = f"there are the channels 0 to {self.channels - 1}"
            raise LocalProtocolError(msg)

    def _check_data(self, data: int) -> None:
        if not 0 <= data <= _UINT32:
            msg = "the number that goes with it has 32 bits, without a sign"
            raise LocalProtocolError(msg)

    def disconnect(self, data: int = 0) -> None:
        """Leave: what waits is let go, the other side is told until it acknowledges; then EnetDisconnected."""
        self._check_data(data)
        if self.state in (EnetState.CONNECTED, EnetState.LEAVING_LATER):
            self._move(EnetTrigger.LEAVE)
            self._leave(data)
        elif self.state in (EnetState.CONNECTING, EnetState.PROVING):
            self._end(EnetEnd.LOCAL, 0)

    def disconnect_later(self, data: int = 0) -> None:
        """Leave once everything reliable that waits has been acknowledged."""
        self._check_data(data)
        if self.state is not EnetState.CONNECTED:
            self.disconnect(data)
            return
        self._move(EnetTrigger.LEAVE_LATER)
        self._leaving_with = data
        self._leave_if_done()

    def disconnect_now(self, data: int = 0) -> None:
        """Leave at once: the other side is told one time, and may not hear it; no event follows."""
        self._check_data(data)
        if self.state in (EnetState.NEW, EnetState.CLOSED):
            return
        proved = self.state not in (EnetState.CONNECTING, EnetState.PROVING)
        self._close()
        if proved:
            self._out.once(wire.disconnect(self._out.next_control(), data, wants_ack=False))

    def reset(self) -> None:
        """Forget the connection; nobody is told, no event follows."""
        if self.state is not EnetState.NEW:
            self._close()

    # --- the beginning

    def connect(self, connect_id: bytes, data: int, now: float) -> None:
        """(client) Begin; a connection that was is over."""
        self._check_data(data)
        self._move(EnetTrigger.CONNECT)
        self._heard_at = now
        self._ground.touch(self)
        self._terms = offer(0, self.sessions, self._out.mtu, self.channels, connect_id)
        terms = self._terms
        self._out.control(lambda number: wire.connect(number, terms, data))

    def accept(self, connect: wire.Command, identity: int, size: int, now: float) -> None:
        """(host) Answer a CONNECT in a datagram of ``size`` bytes; ``identity``: its place among our peers."""
        self._move(EnetTrigger.ACCEPT)
        terms = wire.Terms(*connect.fields[:-1])
        self._data = connect.fields[-1]
        self._id = identity
        self._remote_id = terms.peer_id & wire.NOBODY
        self._agree(terms)
        # Each side's session goes on by one, so that what is late from the connection before is known as such.
        outgoing = next_session(terms.incoming_session, self.sessions[1])
        incoming = next_session(terms.outgoing_session, self.sessions[0])
        self.sessions = incoming, outgoing
        answer = offer(identity, (outgoing, incoming), self._out.mtu, self.channels, terms.connect_id, terms)
        self._terms = answer
        self._control = connect.number
        self._heard_at = now
        self._ground.touch(self)
        self._prove_at = now + self._limits.enet_prove_seconds
        self._credit = size
        # It is not acknowledged: the answer says it all.
        self._verify = self._out.control(lambda number: wire.verify(number, answer))
        self._verify.stamps = []

    def _agree(self, terms: wire.Terms) -> None:
        """Take the smaller of what both sides can do."""
        self._out.mtu, self._out.window, self.channels = agreed(terms, self._out.mtu, self.channels)
        self.bandwidth = terms.incoming_bandwidth, terms.outgoing_bandwidth

    # --- what comes

    def again(self, size: int) -> None:
        """(host) The CONNECT that made this peer came once more: as many bytes more may be answered."""
        self._credit += size
        self._ground.touch(self)

    def receive(self, datagram: wire.Datagram, size: int, now: float) -> None:
        """Take a datagram of ``size`` bytes from the other side's address."""
        if self._remote_id != wire.NOBODY and datagram.session != self.sessions[0]:
            self._counts.foreign += 1
            return
        self._heard_at = now
        self._credit += size
        # What is only told makes nothing go, and its deadline no earlier: a turn need not look at it.
        touched = self.state is not EnetState.CONNECTED
        for command in datagram.commands:
            touched = touched or command.acknowledged or command.kind not in _ONLY_TOLD
            take = self._TAKE[self.state].get(command.kind)
            # What is taken is acknowledged, where that is asked for.
            if take is None:
                self._counts.wrong += 1
            elif take(self, command, now) and command.acknowledged and datagram.sent_time is not None:
                self._out.acknowledge(command.channel, command.number, datagram.sent_time)
                if command.kind == wire.VERIFY_CONNECT:
                    self._proof = command.number, datagram.sent_time
        if touched:
            self._ground.touch(self)

    def _take_verify(self, command: wire.Command, now: float) -> bool:
        terms = wire.Terms(*command.fields)
        ours = self._terms
        if ours is None or terms.connect_id != ours.connect_id or terms[8:11] != ours[8:11]:
            return self._is_wrong()
        if self.state is EnetState.CONNECTING:
            self._move(EnetTrigger.VERIFIED)
            self._remote_id = terms.peer_id & wire.NOBODY
            self.sessions = terms.incoming_session & 3, terms.outgoing_session & 3
            self._agree(terms)
            self._control = command.number
            sent = self._out.acknowledged(wire.CONTROL, 1)
            if sent is not None and sent.attempts == 1:
                self.round_trip.sample(now - sent.first)
            self._ground.told.append(EnetConnected(peer=self, data=0))
        return True

    def _take_proof(self, command: wire.Command, _now: float) -> bool:
        """Who acknowledges our answer with the time that was on it has read it."""
        number, stamp = command.fields
        verify = self._verify
        stamps = () if verify is None or verify.stamps is None else verify.stamps
        if verify is None or command.channel != wire.CONTROL or number != verify.number or stamp not in stamps:
            return self._is_wrong()
        self._move(EnetTrigger.VERIFIED)
        self._prove_at = inf
        self._verify = None
        # How long that took says little of the line: it is acknowledged again, with the old time, until we are heard.
        self._out.acknowledged(wire.CONTROL, number)
        self._ground.told.append(EnetConnected(peer=self, data=self._data))
        return False

    def _take_acknowledgement(self, command: wire.Command, now: float) -> bool:
        number, stamp = command.fields
        sent = self._out.acknowledged(command.channel, number)
        if sent is None:
            self._counts.repeated += 1
            return False
        self._proof = None
        # The stamp tells which of several it was, in whole milliseconds.
        seconds = now - sent.first if sent.attempts == 1 else (self._ground.stamp(now) - stamp & 0xFFFF) / 1000.0
        if seconds < _SANE_ROUND_TRIP:
            self.round_trip.sample(seconds)
        if self.state is EnetState.LEAVING:
            self._end(EnetEnd.LOCAL, 0)
        elif self.state is EnetState.LEAVING_LATER:
            self._leave_if_done()
        return False

    def _take_disconnect(self, command: wire.Command, _now: float) -> bool:
        if self.state is not EnetState.CLOSED:
            if not 0 < command.number - self._control & 0xFFFF <= _CONTROL_AHEAD:
                self._counts.implausible += 1
                return False
            self._control = command.number
            self._end(EnetEnd.REMOTE, command.fields[0])
        elif command.number != self._control:
            return False
        return True

    def _take_control(self, command: wire.Command, _now: float) -> bool:
        ahead = command.number - self._control & 0xFFFF
        if 0 < ahead <= _CONTROL_AHEAD:
            self._control = command.number
        elif ahead < 0x8000:  # noqa: PLR2004  # not one that was before
            return ahead == 0 or self._is_wrong()
        if command.kind == wire.BANDWIDTH_LIMIT:
            self.bandwidth = command.fields[0], command.fields[1]
        # THROTTLE_CONFIGURE is about which unreliable messages to let go before they are sent: we let go of none.
        return True

    def _take_reliable(self, command: wire.Command, _now: float) -> bool:
        channel = self._channel(command)
        if channel is None:
            return self._is_wrong()
        took = channel.reliable(command.number, command.payload)
        return took is Take.TAKEN or self._count(took)

    def _take_fragment(self, command: wire.Command, _now: float) -> bool:
        channel = self._channel(command)
        if channel is None:
            return self._is_wrong()
        return self._count(channel.fragment(command.number, _which(command), command.payload))

    def _take_unreliable(self, command: wire.Command, _now: float) -> bool:
        channel = self._channel(command)
        if channel is None:
            return self._is_wrong()
        took = channel.unreliable(command.number, command.fields[0], command.payload)
        return took is Take.TAKEN or self._count(took)

    def _take_unreliable_fragment(self, command: wire.Command, _now: float) -> bool:
        channel = self._channel(command)
        if channel is None:
            return self._is_wrong()
        return self._count(channel.unreliable_fragment(command.number, _which(command), command.payload))

    def _take_unsequenced(self, command: wire.Command, _now: float) -> bool:
        if command.channel >= self.channels or len(command.payload) > self._limits.enet_packet_bytes:
            return self._is_wrong()
        if not self._unsequenced.take(command.fields[0]):
            return self._count(Take.REPEATED)
        self._tell(command.channel, command.payload, Delivery.UNSEQUENCED)
        return True

    def _channel(self, command: wire.Command) -> Incoming | None:
        index = command.channel
        channel = self._incoming.get(index)
        if channel is None and index < self.channels:
            most = self._limits.enet_packet_bytes
            channel = self._incoming[index] = Incoming(index, self._tell, self._waiting, most)
        return channel

    def _tell(self, channel: int, payload: bytes, delivery: Delivery) -> None:
        self._ground.told.append(EnetMessage(self, channel, payload, delivery))

    def _is_wrong(self) -> bool:
        self._counts.wrong += 1
        return False

    def _count(self, took: Take) -> bool:
        """Count what was not taken as it came; whether it is acknowledged all the same."""
        counts = self._counts
        if took is Take.TAKEN:
            return True
        if took is Take.REPEATED:
            counts.repeated += 1
            return True
        if took is Take.LATE:
            counts.late += 1
        elif took is Take.FULL:
            counts.full += 1
        else:
            counts.wrong += 1
        return False

    # --- time

    def deadline(self) -> float | None:
        """When :meth:`handle_timeout` is due; None: nothing runs."""
        when = self._deadline()
        return None if when == inf else when

    def _deadline(self) -> float:
        if self.state in _NOTHING_RUNS:
            return inf
        if self._out.idle and self.state is EnetState.CONNECTED:
            return self._heard_at + self._options.ping_seconds
        return min(self._out.resend_at, self._prove_at)

    @property
    def deadline_reason(self) -> Timer | None:
        """The timer behind the deadline."""
        when = self._deadline()
        if when == inf:
            return None
        return Timer.PROVE if when == self._prove_at else Timer.RESEND if when == self._out.resend_at else Timer.PING

    def handle_timeout(self, now: float) -> None:
        """Let time pass."""
        if now < self._deadline():
            return
        self._ground.touch(self)
        if now >= self._prove_at:
            self._counts.unproved += 1
            self._close()
            return
        oldest = self._out.overdue(now)
        if oldest is not None:
            if self._proof is not None:
                # Nothing is taken from us while the other side does not know that we are where we say.
                self._out.acknowledge(wire.CONTROL, *self._proof)
            missing = now - oldest.first
            silent = min(missing, now - self._heard_at)
            given_up = silent >= self._options.timeout_least and oldest.attempts >= _GIVE_UP_ATTEMPTS
            if given_up or missing >= self._options.timeout_most:
                self._end(EnetEnd.LOCAL if self.state is EnetState.LEAVING else EnetEnd.TIMEOUT, 0)
        elif self._out.idle:
            self._out.control(wire.ping)

    def datagrams(self, now: float) -> list[bytes]:
        """What is to be sent to the other side's address."""
        if self.state is EnetState.PROVING and self._credit < _ANSWER_BYTES:
            return []
        session = self.sessions[1] if self._remote_id != wire.NOBODY else 0
        made = self._out.write(self._remote_id, session & 3, now, self._ground.stamp(now))
        if self.state is EnetState.PROVING:
            self._credit -= sum(map(len, made))
        return made

    # --- the end

    def _leave(self, data: int) -> None:
        self._ground.touch(self)
        self._out.clear()
        self._out.control(lambda number: wire.disconnect(number, data, wants_ack=True))

    def _leave_if_done(self) -> None:
        if self._out.idle:
            self._move(EnetTrigger.LEAVE)
            self._leave(self._leaving_with)

    def _end(self, end: EnetEnd, data: int) -> None:
        self._close()
        self._ground.told.append(EnetDisconnected(peer=self, end=end, data=data))

    def _close(self) -> None:
        self._move(EnetTrigger.OVER)
        self._out.clear()
        self._incoming.clear()
        self._waiting.size = 0
        self._prove_at = inf
        self._ground.touch(self)

    def _move(self, trigger: EnetTrigger) -> None:
        self.state = ENET_TRANSITIONS[self.state, trigger]

    # --- what counts in which state

    _EVERYTHING: ClassVar[dict[int, Callable[[EnetPeer, wire.Command, float], bool]]] = {
        wire.ACKNOWLEDGE: _take_acknowledgement,
        wire.VERIFY_CONNECT: _take_verify,
        wire.DISCONNECT: _take_disconnect,
        wire.PING: _take_control,
        wire.SEND_RELIABLE: _take_reliable,
        wire.SEND_UNRELIABLE: _take_unreliable,
        wire.SEND_FRAGMENT: _take_fragment,
        wire.SEND_UNSEQUENCED: _take_unsequenced,
        wire.BANDWIDTH_LIMIT: _take_control,
        wire.THROTTLE_CONFIGURE: _take_control,
        wire.UNRELIABLE_FRAGMENT: _take_unreliable_fragment,
    }
    _TAKE: ClassVar[dict[EnetState, dict[int, Callable[[EnetPeer, wire.Command, float], bool]]]] = {
        EnetState.NEW: {},
        EnetState.CONNECTING: {wire.VERIFY_CONNECT: _take_verify},
        EnetState.PROVING: {wire.ACKNOWLEDGE: _take_proof},
        EnetState.CONNECTED: _EVERYTHING,
        EnetState.LEAVING_LATER: _EVERYTHING,
        EnetState.LEAVING: {wire.ACKNOWLEDGE: _take_acknowledgement, wire.DISCONNECT: _take_disconnect},
        # An acknowledgement that was lost is asked for again.
        EnetState.CLOSED: {wire.DISCONNECT: _take_disconnect},
    }


def _which(command: wire.Command) -> wire.Fragment:
    start, _length, count, which, total, offset = command.fields
    return wire.Fragment(start, count, which, total, offset)


EnetEvent = EnetConnected | EnetDisconnected | EnetMessage
