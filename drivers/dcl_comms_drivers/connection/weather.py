"""What can be done now: what the session says, and what its links carry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dcl_comms_core.inputs import TrackSource
from dcl_comms_core.weather.can import Can, Cannot, Obstacle, ability
from dcl_comms_drivers.connection.world_link import WorldLink
from dcl_comms_drivers.media.feeds import AudioLink, VideoLink, innermost

if TYPE_CHECKING:
    from dcl_comms_core.weather.can import Ability
    from dcl_comms_drivers.connection.driver import Driver

__all__ = ["can"]

_LINKS: Final = {
    Can.SPEAK: (AudioLink, TrackSource.MICROPHONE, "sound"),
    Can.SHOW: (VideoLink, TrackSource.CAMERA, "pictures"),
}


def can(driver: Driver, what: Can) -> Ability:
    """Whether all of this can be done in the rooms as they are now, and if not, why."""

    def obstacle(one: Can) -> Obstacle | None:
        if driver.ended:
            return Obstacle(Cannot.OVER, str(driver.failure or "we left it"))
        found = driver.session.obstacle(one)
        if found is not None or one not in _LINKS:
            return found
        kind, source, carried = _LINKS[one]
        link = innermost(driver.link)
        if isinstance(link, WorldLink):
            link = link.publisher(source)
        return (
            None if isinstance(link, kind) else Obstacle(Cannot.TRANSPORT, f"a room over {link.name} has no {carried}")
        )

    return ability(what, obstacle)
