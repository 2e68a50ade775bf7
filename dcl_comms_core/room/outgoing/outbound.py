"""A room's packets on their way out: permission, the queue, credits and acknowledgements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dcl_comms_core.errors import LocalProtocolError, NotInARoom
from dcl_comms_core.events import WarningCode
from dcl_comms_core.room.outgoing.confirmed import Confirmed
from dcl_comms_core.room.outgoing.outbox import Outbox
from dcl_comms_core.states import RoomState, Timer
from dcl_comms_core.tools.timers import Timers
from dcl_comms_core.weather.away import Away, Outage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dcl_comms_core.inputs import SendAcknowledged
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.room.lifecycle import Lifecycle
    from dcl_comms_core.room.outgoing.carriers import Carrier
    from dcl_comms_core.room.outgoing.outbox import Messages, Outgoing
    from dcl_comms_core.room.output import Output
    from dcl_comms_core.room.permit import Permit
    from dcl_comms_core.tools.clock import Clock

__all__ = ["Outbound"]

_BOUNDS: Final = (Timer.CONNECT, Timer.RETRY, Timer.REPAIR)
"""What a room that is not open is waiting for."""
_OPEN: Final = RoomState.OPEN  # looking it up in its enum, or in a set, takes longer than the question


class Outbound:
    """Checks packets, queues them, and gives the transport what has credit.

    ``timers``: those of the room; ``away``: what is done with what is said while it is not open.
    """

    __slots__ = (
        "_away", "_carrier", "_clock", "_confirmed", "_lifecycle", "_outage", "_outbox", "_output", "_permit",
        "_timers", "flowing",
    )  # fmt: skip

    def __init__(
        self,
        output: Output,
        clock: Clock,
        lifecycle: Lifecycle,
        permit: Permit,
        limits: Limits,
        carrier: Carrier,
        *,
        timers: Timers | None = None,
        away: Away = Away.WAIT,
    ) -> None:
        self._output = output
        self._clock = clock
        self._lifecycle = lifecycle
        self._permit = permit
        self._carrier = carrier
        self._outbox = Outbox(limits)
        self._confirmed = Confirmed()
        self._timers = Timers() if timers is None else timers
        self._away = away
        self._outage = Outage(limits.waiting_seconds)
        self.flowing = False
        """Whether the link takes packets, as far as there is credit."""

    @property
    def queue(self) -> Outbox:
        """What waits and what is in flight; read-only."""
        return self._outbox

    def check(self) -> None:
        """Raise unless we may send, or what we say may wait.

        LocalProtocolError: the room is over; NotInARoom: it is not open, and we don't wait; PermissionMissing: we may
        not.
        """
        if self._lifecycle.state is not _OPEN:
            self.check_moving()
            if self._away is Away.RAISE:
                raise self.not_in_a_room()
        if not self._permit.may_send:
            self._permit.refuse_to_send()

    def check_moving(self) -> None:
        """Raise unless we are in the room, or may be.  LocalProtocolError: it is over."""
        if self._lifecycle.over:
            msg = f"the room is {self._lifecycle.state.value}: send between RoomOpened and RoomClosed"
            raise LocalProtocolError(msg)

    def not_in_a_room(self) -> NotInARoom:
        """Why nothing can be done that does not wait."""
        due = self._timers.due()
        until = min((due[timer] for timer in _BOUNDS if timer in due), default=None)
        return NotInARoom(f"the room is {self._lifecycle.state.value}", reason=self._lifecycle.lost_by, until=until)

    def put(self, messages: Messages, *, reliable: bool) -> None:
        """Queue packets: all or none.  PacketTooLarge, LocalProtocolError, SendQueueFull."""
        who, token, outbox = self._lifecycle.identity, self._permit.token, self._outbox
        identity = who.text if who is not None else "" if token is None else token.identity
        self._carrier.check(messages, identity=identity, reliable=reliable, sequence=outbox.next_sequence)
        if self.flowing and len(messages) == 1:
            data, to, topic = messages[0]
            message = outbox.give(data, to, topic, reliable=reliable)
            if message is not None:
                self._output.commands.append(self._carrier.command(self._lifecycle.link, message))
                return
        away = self._lifecycle.state is not _OPEN
        outbox.put(messages, reliable=reliable, flowing=self.flowing, at=self._clock.now, away=away)
        self.send_queued()
        if away:
            self._wait()

    # --- what waits for the room

    def _wait(self) -> None:
        oldest = self._outbox.oldest
        # On the way out the close has a time of its own.
        if oldest is not None and self._lifecycle.state is not RoomState.CLOSING:
            self._timers.arm(Timer.WAITING, self._outage.due(oldest))

    def expire(self) -> None:
        """Let go of what waited for too long, count it, and say so once in an outage."""
        outage = self._outage
        count = self._outbox.expire(outage.due, self._clock.now)
        self._output.counters["expired"] += count
        if count and outage.is_news():
            self._output.warn(WarningCode.SENDS_EXPIRED, outage.told(count), count)
        self._wait()

    def flow(self) -> None:
        """The link takes packets from now on: send what waits."""
        self.flowing = True
        self._outage.over()
        self._timers.disarm(Timer.WAITING)
        self.send_queued()

    def leave(self) -> list[Outgoing]:
        """Give away what waits, to who has another room for it."""
        return self._outbox.leave()

    def send_queued(self) -> None:
        """Send what has credit, if the link takes packets."""
        if not self.flowing:
            return
        link, command = self._lifecycle.link, self._carrier.command
        self._output.commands += [command(link, message) for message in self._outbox.take()]

    def acknowledge(self, inp: SendAcknowledged) -> None:
        """The transport sent a packet, or reports why it did not."""
        if not inp.error:
            self.acknowledge_all((inp.token,))
            return
        if self._outbox.acknowledge(inp.token) is None:
            self._output.counters["late"] += 1
            return
        self._output.counters["send_failed"] += 1
        self._output.warn(WarningCode.SEND_FAILED, inp.error)
        self.send_queued()

    def acknowledge_all(self, tokens: Iterable[int]) -> None:
        """The transport sent these packets."""
        outbox = self._outbox
        acknowledge, before = outbox.acknowledge, outbox.confirmed
        late = sent = sent_bytes = 0
        for token in tokens:
            size = acknowledge(token)
            if size is None:
                late += 1
            else:
                sent += 1
                sent_bytes += size
        counters = self._output.counters
        counters["late"] += late
        if self._permit.may_send:
            counters["sent"] += sent
            counters["sent_bytes"] += sent_bytes
        else:
            # Taken by the transport; the server may have passed them on before it took the permission away.
            counters["unconfirmed"] += sent
        if outbox.confirmed != before:
            self._confirmed.add(outbox.confirmed - before, self._clock.now)
        self.send_queued()

    def refuse_waiting(self) -> None:
        """The server took the permission away: what waits would go nowhere."""
        refused = self._outbox.clear()
        if refused:
            self._output.counters["send_failed"] += refused
            text = f"{refused} packets that waited: we may not send any more (canPublishData)"
            self._output.warn(WarningCode.SEND_FAILED, text, refused)

    # --- the end of a link

    def pause(self) -> None:
        """The transport lost its connection: nothing goes out until it is back."""
        self.flowing = False
        self._confirmed.cut(self._clock.now)
        self._begin_outage()

    def _begin_outage(self) -> None:
        self._outage.begin(self._clock.now)
        self._wait()

    def silent(self, seconds: float) -> None:
        """Nothing had come from the server for so long when the connection was lost."""
        self._confirmed.silent(seconds)

    def tell_doubtful(self) -> None:
        """The connection is back, or it is over: say how much of what was acknowledged may not have arrived."""
        count = self._confirmed.take()
        if count:
            self._output.counters["may_be_lost"] += count
            text = f"{count} reliable packets were acknowledged, and nothing came from the server any more"
            self._output.warn(WarningCode.SENDS_MAY_BE_LOST, text, count)

    def lose_link(self) -> None:
        """The link is lost: what is in flight stays unconfirmed, what waits goes out by the next link."""
        self.flowing = False
        lost = self._outbox.forget_in_flight()
        self._output.counters["unconfirmed"] += lost
        self._begin_outage()
        if lost:
            self._output.warn(WarningCode.SENDS_UNCONFIRMED, f"{lost} packets were not acknowledged", lost)

    def drop_waiting(self) -> None:
        """Drop and count what still waits, and say so if none of it may get lost."""
        reliable = self._outbox.reliable_waiting
        self._output.counters["dropped"] += self._outbox.clear()
        if reliable and self._outage.is_news():
            self._output.warn(WarningCode.SENDS_DROPPED, f"{reliable} packets were accepted, and never sent")

    def finish(self) -> None:
        """The room is closed: drop what waits and what is in flight."""
        self.drop_waiting()
        reliable = self._outbox.reliable_in_flight
        self._output.counters["unconfirmed"] += self._outbox.forget_in_flight()
        if reliable:
            self._output.warn(WarningCode.SENDS_UNCONFIRMED, f"{reliable} packets were not acknowledged")
