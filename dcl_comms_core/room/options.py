"""A room's options as one frozen object, and the policies among them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Self, TypeAlias, TypedDict

from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.inputs import TrackKind
from dcl_comms_core.limits import DEFAULT_LIMITS, Limits
from dcl_comms_core.weather.away import Away

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.company.ignoring import Ignore
    from dcl_comms_core.inputs import Track
    from dcl_comms_core.packets.movement import MovementCodec
    from dcl_comms_core.peers import PeerId
    from dcl_comms_core.room.incoming.dedupe import Seen
    from dcl_comms_core.tap import Tap
    from dcl_comms_core.tools.backoff import Backoff

__all__ = ["Delivery", "RoomOptions", "RoomSettings", "Subscribe", "SubscribePolicy", "wants"]


class Subscribe(Enum):
    """Which tracks of others to subscribe to, unless one is subscribed or unsubscribed by hand."""

    ALL = "all"
    """Every track, asked for by the transport itself as soon as it is published."""
    AUDIO = "audio"
    """Audio tracks, and no video; none that is encrypted end to end, which would be noise."""
    NONE = "none"
    """No track that is not asked for by ``subscribe(track)``."""


SubscribePolicy: TypeAlias = "Subscribe | Callable[[PeerId, Track], bool]"
"""A Subscribe, or a function that gets the sender and the Track of each TrackPublished and says whether to receive it.

The function is called inside ``receive``.  What it raises is a bug of the application, and comes out there.
"""


def wants(policy: SubscribePolicy, sender: PeerId, track: Track) -> bool:
    """Whether to subscribe to a published track.  LocalProtocolError: the policy returned no bool."""
    if isinstance(policy, Subscribe):
        return policy is Subscribe.AUDIO and track.kind is TrackKind.AUDIO and not track.encrypted
    wanted = policy(sender, track)
    # An async function's answer, or a forgotten return, would pass for a yes or a no.
    if not isinstance(wanted, bool):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
        msg = f"a subscribe policy returns True or False, not {type(wanted).__name__}"
        raise LocalProtocolError(msg)
    return wanted


class Delivery(Enum):
    """How packets reach the application."""

    EVENTS = "events"
    """Decoded: PeerMoved, ChatReceived and so on; PacketReceived for kinds that have no event."""
    PACKETS = "packets"
    """Every packet as a PacketReceived that is decoded on first use: for bridges, recorders and load tests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomOptions:
    """The options of a room, and their defaults."""

    limits: Limits = DEFAULT_LIMITS
    entropy: int = 0
    """Seeds the jitter of the pauses."""
    reconnect: Backoff | None = None
    """How to join anew after the link is lost; None: never.  The first attempt is never repeated."""
    delivery: Delivery = Delivery.EVENTS
    subscribe: SubscribePolicy = Subscribe.ALL
    """Which tracks of others to receive."""
    announce: bool = True
    """Let the server announce us at once, where the token allows it: else others learn of us up to 3 s late, and our
    first packets reach them without a sender."""
    seen: Seen | None = None
    """Shared by the rooms of one application, so that what comes through several of them is told once."""
    movement_codec: MovementCodec | None = None
    """Reads compressed movements, which are told as PacketReceived without it."""
    profile_version: int | None = None
    """Announced on joining and repeated: Unity clients send little to peers that don't announce one."""
    silent: bool = False
    """Never announce by itself, whatever that costs."""
    ignore: Ignore | None = None
    """Whom to ignore without being told; None: nobody."""
    away: Away = Away.WAIT
    """What verbs do while no room is open; ``move`` and a profile's version are remembered either way."""
    tap: Tap | None = None
    """Told of every packet; see ``dcl_comms_core.tap``."""

    @classmethod
    def of(cls, options: Self | None, settings: RoomSettings) -> Self:
        """Options with some of them changed.  TypeError: an unknown option."""
        chosen = cls() if options is None else options
        return replace(chosen, **settings) if settings else chosen


class RoomSettings(TypedDict, total=False):
    """RoomOptions as keyword arguments."""

    limits: Limits
    entropy: int
    reconnect: Backoff | None
    delivery: Delivery
    subscribe: SubscribePolicy
    announce: bool
    seen: Seen | None
    movement_codec: MovementCodec | None
    profile_version: int | None
    silent: bool
    ignore: Ignore | None
    away: Away
    tap: Tap | None
