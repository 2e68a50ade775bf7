"""What a room is for, and which rooms a packet of ours goes to."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final

from dcl_comms_core.codec import peek
from dcl_comms_core.errors import DecodeError

if TYPE_CHECKING:
    from collections.abc import Mapping


__all__ = ["AVATAR", "RoomRole", "roles_of"]


class RoomRole(Enum):
    """What a room is for."""

    ISLAND = "island"
    """Everybody around us: an island's room or a world's."""
    SCENE = "scene"
    """Everybody in the scene."""
    OTHER = "other"
    """Something of its own: private messages, a voice chat."""
    SOURCE = "source"
    """No room: a MovementSource."""


_SCENE: Final = frozenset({RoomRole.SCENE})
_ROOMS: Final = frozenset({RoomRole.ISLAND, RoomRole.SCENE})
AVATAR: Final = _ROOMS | {RoomRole.SOURCE}
"""Where we are seen."""
_ROUTES: Final[Mapping[str | None, frozenset[RoomRole]]] = {
    "scene": _SCENE,
    "position": AVATAR,
    "movement": AVATAR,
    "movement_compressed": AVATAR,
    "player_emote": AVATAR,
    "profile_version": AVATAR,
}


def roles_of(messages: list[tuple[bytes, tuple[str, ...] | None, str]]) -> frozenset[RoomRole]:
    """Where packets go; those of one call have the same content."""
    if not messages:
        return _ROOMS
    try:
        kind = peek(messages[0][0]).kind
    except DecodeError:
        return _ROOMS
    return _ROUTES.get(kind, _ROOMS)
