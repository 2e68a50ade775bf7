"""What each sender may cost: an allowance per kind of packet, counts, and an abuse score.

An allowance is a rate and ``Limits.burst_seconds`` of it saved up.  It is kept as one time, "paid until": each packet
pays for the next 1/rate seconds, a large one for size/bytes_rate if that is longer; and a sender that has paid further
ahead than the burst has to wait.  Deciding costs the same whoever sends it and however many senders there are.

The abuse score: one point for each packet beyond an allowance, five for each that is not an acceptable packet; half
of the points are forgotten every minute.  An explorer stays near 0, a flood has thousands within seconds.  Nothing
here acts on it: what to do about a peer is for the application.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from math import exp2
from typing import TYPE_CHECKING, Final, NamedTuple

from dcl_comms_core.room.incoming.filters import Heard

if TYPE_CHECKING:
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.peers import PeerId

__all__ = [
    "ALLOWANCES",
    "CHAT",
    "EMOTE",
    "IGNORED",
    "MOVEMENT",
    "OTHER",
    "PROFILE",
    "REJECTED",
    "SCENE",
    "Guard",
    "Guards",
    "Held",
    "PeerTraffic",
]

ALLOWANCES: Final = (
    "movement_rate",
    "chat_rate",
    "scene_rate",
    "emote_rate",
    "profile_rate",
    "other_rate",
    "rejected_rate",
)
"""The limits that are allowances, by their names in Limits."""
MOVEMENT, CHAT, SCENE, EMOTE, PROFILE, OTHER, REJECTED = range(len(ALLOWANCES))

_REJECTED_POINTS: Final = 5.0
_HALF_LIFE: Final = 60.0
_NEVER: Final = float("-inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerTraffic:
    """What came from a peer since it was first seen; a peer that comes back soon is remembered."""

    received: int
    """Packets."""
    bytes: int
    """Their payloads together."""
    rejected: int
    """Of these packets, those that were not acceptable."""
    limited: int
    """Of these packets, those beyond an allowance: not delivered."""
    ignored: int = 0
    """Of these packets, those that came while the peer was ignored: not looked at."""
    abuse: float
    """The abuse score now: see ``dcl_comms_core.room.incoming.allowances``."""


class Held(NamedTuple):
    """A movement that has to wait for its sender's allowance."""

    data: bytes
    private: bool
    reliable: bool
    topic: str


IGNORED: Final = Held(b"", False, False, "")
"""What a guard holds instead of a movement while its peer is ignored.

So the question costs nothing where nobody is: whether something is held is asked of every packet anyway.
"""


class Guard:
    """One sender's allowances, and what it did with them."""

    __slots__ = (
        "_burst",
        "_byte_gap",
        "_gaps",
        "_paid",
        "_points",
        "_points_at",
        "beyond",
        "bytes",
        "exceeded",
        "heard",
        "held",
        "id",
        "limited",
        "queued",
        "received",
        "rejected",
        "unheard",
    )

    def __init__(self, who: PeerId | None, gaps: tuple[float, ...], byte_gap: float, burst: float) -> None:
        self.id = who
        self.received = 0
        self.bytes = 0
        self.rejected = 0
        self.limited = 0
        self.unheard = 0
        self.beyond = OTHER
        """The allowance that the latest excess packet exceeded, as an index into ALLOWANCES."""
        self.heard: Heard | None = None
        """What was heard in its current session; None: no session, or a guard shared by many senders."""
        self.held: Held | None = None
        """The newest movement that exceeded the allowance, until it is due; or IGNORED."""
        self.queued = False
        """Whether it is in the queue of guards with a held movement."""
        self.exceeded: set[int] = set()
        """The allowances that were exceeded and have not fully recovered since."""
        self._gaps = gaps
        self._byte_gap = byte_gap
        self._burst = burst
        self._paid = [_NEVER] * len(gaps)
        self._points = 0.0
        self._points_at = 0.0

    def admit(self, allowance: int, size: int, now: float) -> bool:
        """Charge a packet to its allowance.  False: it exceeds it (see ``beyond``) and is not charged."""
        until = self._paid[allowance]
        if until <= now:
            until = now
            if self.exceeded:
                self.exceeded.discard(allowance)
        elif until - now > self._burst:
            self.beyond = allowance
            return False
        gap = self._gaps[allowance]
        by_size = size * self._byte_gap
        self._paid[allowance] = until + (gap if gap > by_size else by_size)  # noqa: FURB136 - max() takes three times as long, for each packet
        return True

    def admit_some(self, allowance: int, count: int, size: int, now: float) -> int:
        """Charge several at once, of ``size`` bytes together.  Returns how many exceed the allowance."""
        until = self._paid[allowance]
        if until <= now:
            until = now
            self.exceeded.discard(allowance)
        each = max(self._gaps[allowance], size / count * self._byte_gap)
        # One more than fits, as with each for itself.
        room = max(now + self._burst - until, -each)
        within = min(int(room / each) + 1, count)
        self._paid[allowance] = until + within * each
        if within < count:
            self.beyond = allowance
        return count - within

    def refuses(self, allowance: int, now: float) -> bool:
        """Whether a packet of any size would exceed its allowance (see ``beyond``); charges nothing."""
        if self._paid[allowance] - now <= self._burst:
            return False
        self.beyond = allowance
        return True

    def exceed(self, now: float, count: int = 1) -> bool:
        """Count packets that exceeded their allowance.  True: the first since the allowance last fully recovered."""
        self._add_points(float(count), now)
        if self.beyond in self.exceeded:
            return False
        self.exceeded.add(self.beyond)
        return True

    def reject(self, now: float) -> None:
        """Count a packet that was not acceptable."""
        self.rejected += 1
        self._add_points(_REJECTED_POINTS, now)

    @property
    def movement_due(self) -> float:
        """When the allowance admits a movement again."""
        return self._paid[MOVEMENT] - self._burst

    def traffic(self, now: float) -> PeerTraffic:
        """The counts and the score."""
        return PeerTraffic(
            received=self.received,
            bytes=self.bytes,
            rejected=self.rejected,
            limited=self.limited,
            ignored=self.unheard,
            abuse=self.score(now),
        )

    @property
    def ignored(self) -> bool:
        """Whether its peer is ignored."""
        return self.held is IGNORED

    def mute(self) -> int:
        """Ignore its peer.  How many movements waited, and are let go."""
        waited = 0 if self.held is None or self.held is IGNORED else 1
        self.held = IGNORED
        self.unheard += waited
        return waited

    def unmute(self) -> None:
        """Ignore its peer no longer."""
        self.held = None

    def score(self, now: float) -> float:
        """The abuse score."""
        return self._points * exp2((self._points_at - now) / _HALF_LIFE)

    def _add_points(self, points: float, now: float) -> None:
        self._points = self.score(now) + points
        self._points_at = now


class Guards:
    """The guards of a room: one per peer, those of recently departed peers, and one shared by all other senders.

    A peer that leaves and comes back has spent what it had spent.
    """

    __slots__ = (
        "_burst",
        "_byte_gap",
        "_departed",
        "_departed_limit",
        "_gaps",
        "_room",
        "_sessions",
        "by_text",
        "strangers",
    )

    def __init__(self, limits: Limits, room: int) -> None:
        self._room = room
        self._burst = limits.burst_seconds
        self._gaps = tuple(1.0 / getattr(limits, name) for name in ALLOWANCES)
        self._byte_gap = 1.0 / limits.bytes_rate
        self._departed: OrderedDict[PeerId, Guard] = OrderedDict()
        self._departed_limit = limits.departed_peers
        self._sessions = 0
        self.by_text: dict[str, Guard] = {}
        """The guards of peers, by their identity exactly as the transport gives it."""
        share = limits.stranger_share
        gaps = tuple(gap / share for gap in self._gaps)
        self.strangers = Guard(None, gaps, self._byte_gap / share, self._burst)
        """Shared by senders that are not peers: not named yet, or beyond Limits.peers."""

    def join(self, who: PeerId) -> None:
        """A peer joined."""
        guard = self._departed.pop(who, None) or Guard(who, self._gaps, self._byte_gap, self._burst)
        guard.id = who
        self._sessions += 1
        guard.heard = Heard(who, self._room, self._sessions)
        self.by_text[who.text] = guard

    def leave(self, who: PeerId) -> None:
        """A peer left."""
        guard = self.by_text.pop(who.text)
        guard.heard = guard.held = None
        self._departed[who] = guard
        if len(self._departed) > self._departed_limit:
            self._departed.popitem(last=False)

    def departed(self, who: PeerId) -> Guard | None:
        """The guard of a peer that left, while it is remembered."""
        return self._departed.get(who)
