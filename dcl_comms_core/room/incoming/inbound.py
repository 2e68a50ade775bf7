"""The half of a room session on its way in: what packets mean, and what their senders may cost.

A packet within its sender's allowance becomes an event, unless it is old news (see ``filters``).
Beyond it, a movement waits, and a newer one of the same peer takes its place, until the allowance has recovered;
anything else is counted and let go.  ``LimitReached`` says so once each time a sender's allowance is used up.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from typing import TYPE_CHECKING, Final

from dcl_comms_core.events import LimitReached, PacketRejected
from dcl_comms_core.peers import PeerId
from dcl_comms_core.room.incoming.allowances import ALLOWANCES, MOVEMENT, REJECTED, Guard, Held
from dcl_comms_core.room.incoming.dedupe import Seen
from dcl_comms_core.room.incoming.filters import Hearing
from dcl_comms_core.room.incoming.profiles import Profiles
from dcl_comms_core.room.incoming.reader import PacketReader
from dcl_comms_core.room.incoming.roster import Roster
from dcl_comms_core.room.options import Delivery
from dcl_comms_core.room.outgoing.outbound import Sending
from dcl_comms_core.states import RoomState, Timer
from dcl_comms_core.tools.timers import Timers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dcl_comms_core.adapters.token import AccessToken
    from dcl_comms_core.events import ProfileRequested
    from dcl_comms_core.inputs import LinkRef
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.packets.movement import MovementCodec
    from dcl_comms_core.peers import PeerTable
    from dcl_comms_core.room.incoming.allowances import PeerTraffic

__all__ = ["RECEIVING", "Receiving"]

# Looking a member up in its enum takes longer than all else that is done with it.
_OPEN: Final = RoomState.OPEN
_RECONNECTING: Final = RoomState.RECONNECTING

RECEIVING: Final = frozenset({_OPEN, _RECONNECTING})

_HELD_BYTES: Final = 1_024
"""A movement is 118 bytes at most, so a longer one is not worth keeping."""


class Receiving(Sending):
    """Takes packets."""

    def __init__(
        self,
        room: str,
        link: LinkRef,
        token: AccessToken | None,
        limits: Limits,
        *,
        delivery: Delivery,
        seen: Seen | None,
        codec: MovementCodec | None,
    ) -> None:
        super().__init__(room, link, token, limits)
        self._raw = delivery is Delivery.PACKETS
        self._profiles = Profiles(limits)
        seen = Seen(limits.seen_messages) if seen is None else seen
        hearing = Hearing(seen, limits, self._profiles, self._on_profile_request)
        self._reader = PacketReader(room, limits, hearing, raw=self._raw, codec=codec)
        self._roster = Roster(room, limits, hearing.room)
        self._guards = self._roster.guards
        self._by_text = self._guards.by_text
        self._timers = Timers()
        self._topic_of_ours = ""
        self._line: deque[Guard] = deque()
        """Guards that hold a movement, in the order in which they began to."""

    @abstractmethod
    def _on_profile_request(self, event: ProfileRequested) -> None:
        """Somebody asks for a profile: ours, maybe."""

    def deadline(self) -> float | None:
        """When to call ``handle_timeout`` at the latest; None: not needed.  May change with any other call."""
        return self._timers.deadline

    @property
    def deadline_reason(self) -> Timer | None:
        """The timer behind the deadline."""
        return self._timers.reason

    @property
    def timers(self) -> Mapping[Timer, float]:
        """Every timer that runs, and when it is due."""
        return self._timers.due()

    @property
    def peers(self) -> PeerTable:
        """Who else is in the room."""
        return self._roster.peers

    def traffic(self, who: PeerId) -> PeerTraffic | None:
        """What came from a peer; None: it is not known, or was forgotten after it left."""
        guard = self._roster.guard(who)
        return None if guard is None else guard.traffic(self._now)

    def receive_data(
        self,
        sender: str | None,
        data: bytes,
        *,
        reliable: bool = True,
        topic: str = "",
        now: float,
        source: int | None = None,
    ) -> None:
        """Take a packet of the current link: what ``receive(DataReceived(...))`` does, without the object."""
        if now != self._now:
            self._pass_time(now)
        # Not "in RECEIVING": the hash of an enum's member is a function of Python.
        if self._state is not _OPEN and self._state is not _RECONNECTING:
            self.counters["late"] += 1
            return
        size = len(data)
        self._received += 1
        self._received_bytes += size
        guard = self._by_text.get(sender) if sender else None
        if guard is None:
            guard = self._guards.strangers
            who = PeerId(sender) if sender else None
        else:
            who = guard.id
            held = guard.held
            if held is not None and guard.movement_due <= self._now:
                self._release(guard, held)
        guard.received += 1
        guard.bytes += size
        private = topic != "" and topic.lower() == self._topic_of_ours
        event = self._reader.read(self._now, who, private, data, reliable, topic, guard)
        if event is None:
            why = self._reader.let_go
            if why:
                self._counters["dropped." + why] += 1
            else:
                self._beyond(guard, who, Held(data, private, reliable, topic))
            return
        if type(event) is PacketRejected and not self._on_rejected(event, guard):
            return
        self._events.append(event)
        if who is None and source is not None:
            self._roster.remember_early(source, event)

    def _on_rejected(self, event: PacketRejected, guard: Guard) -> bool:
        """Count it.  False: so many were told already that this one is only counted."""
        self.counters["rejected." + event.reason.name.lower()] += 1
        guard.reject(self._now)
        if self._raw or guard.admit(REJECTED, event.size, self._now):
            return True
        self._beyond(guard, event.sender, None)
        return False

    # --- beyond an allowance

    def _beyond(self, guard: Guard, who: PeerId | None, packet: Held | None) -> None:
        """A packet for which its sender has no allowance: keep the newest movement, count what is let go."""
        allowance = guard.beyond
        name = ALLOWANCES[allowance]
        if guard.exceed(self._now):
            value = getattr(self._limits, name)
            sender = who if guard.id is not None else None
            self._events.append(LimitReached(at=self._now, room=self._room, limit=name, value=value, sender=sender))
        if allowance == MOVEMENT and guard.id is not None and packet is not None and len(packet.data) <= _HELD_BYTES:
            older, guard.held = guard.held, packet
            if not guard.queued:
                guard.queued = True
                self._line.append(guard)
                if not self._timers.armed(Timer.MOVEMENT):
                    self._timers.arm(Timer.MOVEMENT, guard.movement_due)
            if older is None:
                return
        guard.limited += 1
        self.counters["dropped." + name] += 1

    def _release(self, guard: Guard, held: Held) -> None:
        """Tell the movement that waited."""
        guard.held = None
        data, private, reliable, topic = held
        event = self._reader.read(self._now, guard.id, private, data, reliable, topic, guard)
        # It is within the allowance now, but it may be late, or say that its sender is nowhere.
        if event is None:
            self._counters["dropped." + (self._reader.let_go or ALLOWANCES[MOVEMENT])] += 1
        elif type(event) is not PacketRejected or self._on_rejected(event, guard):
            self._events.append(event)

    def _release_movements(self) -> None:
        """Tell all movements whose time has come."""
        line = self._line
        while line:
            guard = line[0]
            held = guard.held
            if held is not None:
                if guard.movement_due > self._now:
                    self._timers.arm(Timer.MOVEMENT, guard.movement_due)
                    return
                self._release(guard, held)
            line.popleft()
            guard.queued = False

    def _forget_movements(self) -> None:
        """The link is over, or as good as that: nobody waits for them any more."""
        if self._timers.armed(Timer.MOVEMENT):
            self._timers.disarm(Timer.MOVEMENT)
        for guard in self._line:
            guard.held = None
            guard.queued = False
        self._line.clear()
