"""What a LiveKit server lets a participant do, in the core's words: read from messages that the SDK shows too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dcl_comms_core.errors import PermissionMissing
from dcl_comms_core.inputs import Permissions
from dcl_comms_drivers.livekit.sources import source_of

if TYPE_CHECKING:
    from dcl_comms_core.inputs import TrackSource

__all__ = ["permissions_of", "refusal"]


def permissions_of(permission: Any) -> Permissions:  # a message of the installed wheel
    """Read a ``ParticipantPermission``."""
    return Permissions(
        can_publish=permission.can_publish,
        can_publish_data=permission.can_publish_data,
        can_subscribe=permission.can_subscribe,
        can_publish_sources=tuple(source_of(number).value for number in permission.can_publish_sources) or None,
        can_update_own_metadata=permission.can_update_metadata,
        hidden=permission.hidden,
    )


def refusal(permissions: Permissions, source: TrackSource) -> PermissionMissing | None:
    """Why a track of ours from this source has to end; None: it may go on."""
    sources = permissions.can_publish_sources
    if permissions.can_publish and (sources is None or source.value in sources):
        return None
    return PermissionMissing("canPublishSources", f"{source.value} is not among the sources", taken=True)
