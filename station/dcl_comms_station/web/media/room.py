"""Sound and pictures of one room, for the Station: what it listens to, what it says, and why it can't."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dcl_comms_drivers.connection.world_link import WorldLink
from dcl_comms_drivers.media.feeds import AudioLink, innermost

from dcl_comms_station.board.asked import Refused
from dcl_comms_station.board.hearing import MediaState
from dcl_comms_station.web.media.listening import Listening
from dcl_comms_station.web.media.speaking import Speaking

if TYPE_CHECKING:
    from dcl_comms_drivers.connection.base import BaseConnection

    from dcl_comms_core.events import Event
    from dcl_comms_station.board.asked import Arguments
    from dcl_comms_station.board.limits import StationLimits
    from dcl_comms_station.web.media.box import MediaBox

__all__ = ["RoomMedia", "mute"]


class RoomMedia:
    """A chore beside the room's session; what comes of it goes into ``box``."""

    def __init__(self, room: BaseConnection, box: MediaBox, limits: StationLimits) -> None:
        self._room = room
        self._box = box
        self._listening = Listening(room, box.put, self._tell, limits)
        self._speaking = Speaking(room, self._tell, limits)

    def want(self, heard: frozenset[str], seen: frozenset[str]) -> None:
        """Listen to these tracks and look at those.  In the room's turn."""
        self._listening.want(heard, seen)

    def publish(self, given: Arguments) -> dict[str, Any]:
        """See ``Speaking.ask``; Refused: the room carries no sound."""
        silence = mute(self._room)
        if silence is not None:
            raise Refused("unavailable", silence["why"])
        return self._speaking.ask(given)

    def close(self) -> None:
        """Neither listen nor speak any more.  In the room's turn."""
        self._speaking.close()
        self._listening.close()

    def take(self, events: list[Event], *, now: float) -> None:
        """See Chore."""
        self._listening.take(events, now=now)

    def deadline(self) -> float | None:
        """See Chore."""
        times = (self._listening.deadline(), self._speaking.deadline())
        return min((time for time in times if time is not None), default=None)

    def handle_timeout(self, now: float) -> None:
        """See Chore."""
        self._listening.handle_timeout(now)
        self._speaking.handle_timeout(now)

    def _tell(self) -> None:
        self._box.tell(MediaState(self._listening.told(), self._speaking.told()))


def mute(room: BaseConnection) -> dict[str, str] | None:
    """Why nothing can be heard in a room, as of ``how_to_hear``; None: it can, or no room is there yet."""
    link = innermost(room.driver.link)
    names = list(link.names.values()) if isinstance(link, WorldLink) else [link.name]
    if not names or any(_carries(link)):
        return None
    if "rtc" in names:
        return {"why": "our own engine carries packets, and neither sound nor pictures", "missing": "engine"}
    if "memory" in names:
        return {"why": "a simulated room has neither sound nor pictures", "missing": ""}
    return {"why": "a ws-room has neither sound nor pictures", "missing": "server"}


def _carries(link: object) -> list[bool]:
    links = [one for one, _ in link.rooms.values()] if isinstance(link, WorldLink) else [link]
    return [isinstance(innermost(one), AudioLink) for one in links]  # type: ignore[arg-type]
