"""Which tracks of others we receive: the policy of a session."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.inputs import TrackKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.inputs import Track
    from dcl_comms_core.peers import PeerId


__all__ = ["Delivery", "Subscribe", "SubscribePolicy", "wants"]


class Subscribe(Enum):
    """Which tracks of others we receive, unless we ask for one or decline one ourselves."""

    ALL = "all"
    """Every track, asked for by the transport itself as soon as it is published."""
    AUDIO = "audio"
    """What can be heard and nothing that can be seen."""
    NONE = "none"


SubscribePolicy: TypeAlias = "Subscribe | Callable[[PeerId, Track], bool]"
"""A Subscribe, or a function that gets the sender and the Track of each TrackPublished and says whether to receive it.

The function is called inside ``receive``.  What it raises is a bug of the application, and comes out there.
"""


def wants(policy: SubscribePolicy, sender: PeerId, track: Track) -> bool:
    """Whether a track that was published has to be asked for.  LocalProtocolError: the function gave no bool."""
    if isinstance(policy, Subscribe):
        return policy is Subscribe.AUDIO and track.kind is TrackKind.AUDIO
    wanted = policy(sender, track)
    # An async function's answer, or a forgotten return, would pass for a yes or a no.
    if not isinstance(wanted, bool):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
        msg = f"a subscribe policy returns True or False, not {type(wanted).__name__}"
        raise LocalProtocolError(msg)
    return wanted


class Delivery(Enum):
    """How packets reach the application."""

    EVENTS = "events"
    """As what they mean: PeerMoved, ChatReceived and so on; PacketReceived for kinds that have no event."""
    PACKETS = "packets"
    """Every packet as a PacketReceived that is decoded on first use: for bridges, recorders and load tests."""
