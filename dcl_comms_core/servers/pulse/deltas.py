"""What differs between two states, as far as an observer of a tier is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dcl_comms_core.codec import encode
from dcl_comms_core.proto import pulse
from dcl_comms_core.servers.pulse.fields import FIELDS

if TYPE_CHECKING:
    from dcl_comms_core.servers.pulse.subjects import Snapshot, Subject

__all__ = ["delta"]

_FAR: Final = frozenset({"slide_blend", "head_yaw", "head_pitch"})
_FARTHER: Final = frozenset({"velocity_x", "velocity_y", "velocity_z", "movement_blend"})
_TOLD: Final = tuple(
    tuple((index, name) for index, name in enumerate(FIELDS) if name not in left_out)
    for left_out in (frozenset[str](), _FAR, _FAR | _FARTHER)
)
"""By tier, the fields and where they are."""


def delta(subject: Subject, before: Snapshot, after: Snapshot, tier: int) -> bytes:
    """The message that leads from one state to the latest one.

    A field that is not there any more is not told, and one that this tier leaves out is not told later either: the
    next delta begins with the state of this one.
    """
    key = before.seq, tier
    known = subject.deltas.get(key)
    if known is not None:
        return known
    old, new = before.codes, after.codes
    changed = {name: new[at] for at, name in _TOLD[tier] if new[at] != old[at] and new[at] is not None}
    message = pulse.PlayerStateDeltaTier0(
        subject_id=subject.number,
        baseline_seq=before.seq,
        new_seq=after.seq,
        server_tick=after.tick,
        **changed,  # type: ignore[arg-type]  # each of its own field
    )
    made = subject.deltas[key] = encode(pulse.ServerMessage(player_state_delta=message))
    return made
