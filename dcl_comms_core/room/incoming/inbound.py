"""A room's packets on their way in: what they mean, and what their senders may cost.

A packet within its sender's allowance becomes an event, unless it is old news (see ``filters``).
Beyond it, a movement waits, and a newer one of the same peer takes its place, until the allowance has recovered;
anything else is counted and let go.  ``LimitReached`` says so once each time a sender's allowance is used up.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from dcl_comms_core.events import LimitReached, PacketRejected
from dcl_comms_core.peers import PeerId
from dcl_comms_core.room.incoming.allowances import (
    ALLOWANCES,
    IGNORED,
    MOVEMENT,
    OTHER,
    REJECTED,
    Guard,
    Held,
)
from dcl_comms_core.states import RoomState, Timer

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.inputs import ForeignReceived
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.room.incoming.reader import PacketReader
    from dcl_comms_core.room.incoming.roster import Roster
    from dcl_comms_core.room.lifecycle import Lifecycle
    from dcl_comms_core.room.output import Output
    from dcl_comms_core.tools.clock import Clock
    from dcl_comms_core.tools.timers import Timers

__all__ = ["Inbound"]

# Looking a member up in its enum takes longer than all else that is done with it.
_OPEN: Final = RoomState.OPEN
_RECONNECTING: Final = RoomState.RECONNECTING


class Inbound:
    """Receives packets.  ``raw``: delivers them undecoded, and charges no allowance."""

    __slots__ = (
        "_by_text", "_clock", "_events", "_guards", "_ignored", "_lifecycle", "_limits", "_line", "_on_abuse",
        "_output", "_raw", "_read",
        "_reader", "_roster", "_timers", "our_topic", "received", "received_bytes",
    )  # fmt: skip

    def __init__(
        self,
        output: Output,
        clock: Clock,
        timers: Timers,
        lifecycle: Lifecycle,
        *,
        roster: Roster,
        reader: PacketReader,
        limits: Limits,
        raw: bool,
    ) -> None:
        self._output = output
        self._events = output.events
        self._clock = clock
        self._timers = timers
        self._lifecycle = lifecycle
        self._roster = roster
        self._guards = roster.guards
        self._by_text = roster.guards.by_text
        self._reader = reader
        self._read = reader.read
        self._limits = limits
        self._raw = raw
        self._ignored = roster.ignored.ends
        self._on_abuse: Callable[[Guard], object] | None = None
        self._line: deque[Guard] = deque()
        """Guards with a held movement, in the order in which they began to hold one."""
        self.our_topic = ""
        """The topic of packets for us alone: our identity in lower case."""
        self.received = 0
        self.received_bytes = 0

    def watch_abuse(self, judge: Callable[[Guard], object] | None) -> None:
        """Have this called with the guard of each packet that should not have come; None: nothing."""
        self._on_abuse = judge

    def receive(  # noqa: C901, PLR0911, PLR0912 - once per packet, where a call would cost more than it says
        self, sender: str | None, data: bytes, reliable: bool, topic: str, now: float, source: int | None
    ) -> str:
        """Take a packet of the current link.  What became of it: a verdict of ``dcl_comms_core.tap``."""
        clock = self._clock
        if now != clock.now:
            clock.pass_time(now)
            now = clock.now
        # Not "in RECEIVING": the hash of an enum's member is a function of Python.
        state = self._lifecycle.state
        if state is not _OPEN and state is not _RECONNECTING:
            self._output.counters["late"] += 1
            return "late"
        size = len(data)
        self.received += 1
        self.received_bytes += size
        guard = self._by_text.get(sender) if sender else None
        if guard is None:
            guard = self._guards.strangers
            who = PeerId(sender) if sender and len(sender) <= self._limits.identity_chars else None
            if self._ignored and who in self._ignored:
                return self._unheard(guard, 1, size)
        else:
            who = guard.id
            held = guard.held
            if held is not None:
                if held is IGNORED:
                    return self._unheard(guard, 1, size)
                if guard.movement_due <= now:
                    self._release(guard, held)
                    if guard.ignored:
                        return self._unheard(guard, 1, size)
        guard.received += 1
        guard.bytes += size
        private = topic != "" and topic.lower() == self.our_topic  # not is_private(): once per packet
        event = self._read(now, who, private, data, reliable, topic, guard)
        if event is None:
            why = self._reader.let_go
            if not why:
                return self._beyond(guard, Held(data, private, reliable, topic))
            self._output.counters["dropped." + why] += 1
            return why
        verdict = "told"
        if type(event) is PacketRejected:
            verdict = f"rejected:{event.reason.name.lower()}@{event.offset}"
            if not self._on_rejected(event, guard):
                return verdict
        self._events.append(event)
        if who is None and source is not None:
            self._roster.remember_early(source, event)
        return verdict

    def _unheard(self, guard: Guard, count: int, size: int) -> str:
        """Let go what comes of a peer that is ignored."""
        guard.received += count
        guard.bytes += size
        guard.unheard += count
        self._output.counters["dropped.ignored"] += count
        return "ignored"

    def is_private(self, topic: str) -> bool:
        """Whether a packet of this topic is for us alone."""
        return topic != "" and topic.lower() == self.our_topic

    def sender(self, identity: str | None) -> PeerId | None:
        """Who an identity is, as events name it; None: the transport did not say."""
        return self._roster.peer_id(identity) if identity else None

    def _on_rejected(self, event: PacketRejected, guard: Guard) -> bool:
        """Count a rejected packet.  False: the rejected_rate is exceeded, so it is not delivered."""
        now = self._clock.now
        self._output.counters["rejected." + event.reason.name.lower()] += 1
        guard.reject(now)
        if self._on_abuse is not None:
            self._on_abuse(guard)
            if guard.ignored:
                return False
        if self._raw or guard.admit(REJECTED, event.size, now):
            return True
        self._beyond(guard, None)
        return False

    # --- beyond an allowance

    def _beyond(self, guard: Guard, packet: Held | None) -> str:
        """A packet for which its sender has no allowance: keep the newest movement, count what is let go."""
        verdict = "rate"
        output, now = self._output, self._clock.now
        allowance = guard.beyond
        name = ALLOWANCES[allowance]
        if guard.exceed(now):
            self._reached(guard, name)
        if self._on_abuse is not None:
            self._on_abuse(guard)
            if guard.ignored:
                guard.limited += 1
                output.counters["dropped." + name] += 1
                return verdict
        kept = allowance == MOVEMENT and guard.id is not None
        if kept and packet is not None and len(packet.data) <= self._limits.movement_bytes:
            older, guard.held = guard.held, packet
            verdict = "held"
            if not guard.queued:
                guard.queued = True
                self._line.append(guard)
                if not self._timers.armed(Timer.MOVEMENT):
                    self._timers.arm(Timer.MOVEMENT, guard.movement_due)
            if older is None:
                return verdict
        guard.limited += 1
        output.counters["dropped." + name] += 1
        return verdict

    def foreign(self, inp: ForeignReceived) -> None:
        """Something came that is no packet and that nobody reads: it counts as its sender's all the same."""
        now, counters = self._clock.now, self._output.counters
        guard = self._by_text.get(inp.sender or "", self._guards.strangers)
        if guard.ignored:
            self._unheard(guard, inp.count, inp.size)
            return
        guard.received += inp.count
        guard.bytes += inp.size
        beyond = guard.admit_some(OTHER, inp.count, inp.size, now)
        counters["foreign." + inp.what] += inp.count - beyond
        if beyond:
            name = ALLOWANCES[OTHER]
            guard.limited += beyond
            counters["dropped." + name] += beyond
            if guard.exceed(now, beyond):
                self._reached(guard, name)
            if self._on_abuse is not None:
                self._on_abuse(guard)

    def _reached(self, guard: Guard, name: str) -> None:
        value = getattr(self._limits, name)
        at, room = self._clock.now, self._output.room
        self._output.events.append(LimitReached(at=at, room=room, limit=name, value=value, sender=guard.id))

    def _release(self, guard: Guard, held: Held) -> None:
        """Deliver a held movement."""
        guard.held = None
        data, private, reliable, topic = held
        event = self._reader.read(self._clock.now, guard.id, private, data, reliable, topic, guard)
        # It is within the allowance now, but it may be late, or say that its sender is nowhere.
        if event is None:
            self._output.counters["dropped." + (self._reader.let_go or ALLOWANCES[MOVEMENT])] += 1
        elif type(event) is not PacketRejected or self._on_rejected(event, guard):
            self._output.events.append(event)

    def release_movements(self) -> None:
        """Deliver all held movements that are due."""
        line, now = self._line, self._clock.now
        while line:
            guard = line[0]
            held = guard.held
            if held is not None and held is not IGNORED:
                if guard.movement_due > now:
                    self._timers.arm(Timer.MOVEMENT, guard.movement_due)
                    return
                self._release(guard, held)
            line.popleft()
            guard.queued = False

    def forget_movements(self) -> None:
        """Drop all held movements: the link is gone, or closing."""
        self._timers.disarm(Timer.MOVEMENT)
        for guard in self._line:
            if guard.held is not IGNORED:
                guard.held = None
            guard.queued = False
        self._line.clear()
