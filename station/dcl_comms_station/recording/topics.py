"""The channels of a recording: which topic has which schema, each made when it has its first message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dcl_comms_station.recording.wire import utf8

if TYPE_CHECKING:
    from dcl_comms_station.recording.container import Container

__all__ = ["Topics"]

_SCHEMAS: Final = {
    "/chat": "foxglove.Log",
    "/events": "dcl_comms.Event",
    "/gap": "dcl_comms.Gap",
    "/learn": "dcl_comms.Step",
    "/log": "foxglove.Log",
    "/peers/keyframe": "dcl_comms.Keyframe",
    "/scene": "foxglove.SceneUpdate",
    "/stats": "dcl_comms.Stats",
}
_MOST_NAMES: Final = 64
"""Rooms, and people who are heard, that have channels of their own."""
_OTHERS: Final = "others"


def _sane(name: str) -> str:
    """What UTF-8 can say."""
    return utf8(name).decode()


class Topics:
    """Numbers of channels."""

    def __init__(self, file: Container) -> None:
        self._file = file
        self._numbers: dict[str, int] = {}
        self._rooms: dict[str, tuple[int, int, int]] = {}
        self._heard: dict[str, int] = {}

    def one(self, topic: str) -> int:
        """A topic that there is once."""
        number = self._numbers.get(topic)
        if number is None:
            number = self._numbers[topic] = self._file.channel(topic, _SCHEMAS[topic])
        return number

    def packets(self, room: str) -> int:
        """A room's packets."""
        return self._room(room)[0]

    def told(self, room: str) -> int:
        """The events about them."""
        return self._room(room)[1]

    def acknowledged(self, room: str) -> int:
        """What the transport says of ours."""
        return self._room(room)[2]

    def sound(self, who: str) -> int:
        """What somebody is heard to say."""
        number = self._heard.get(who)
        if number is None:
            if len(self._heard) >= _MOST_NAMES and who != _OTHERS:
                return self.sound(_OTHERS)
            number = self._heard[who] = self._file.channel(f"/audio/{_sane(who)}", "foxglove.RawAudio")
        return number

    def _room(self, room: str) -> tuple[int, int, int]:
        numbers = self._rooms.get(room)
        if numbers is None:
            if len(self._rooms) >= _MOST_NAMES and room != _OTHERS:
                return self._room(_OTHERS)
            new, name = self._file.channel, _sane(room)
            numbers = self._rooms[room] = (
                new(f"/{name}/packets", "dcl_comms.recording.Delivery"),
                new(f"/{name}/told", "dcl_comms.recording.Told"),
                new(f"/{name}/acknowledged", "dcl_comms.Acknowledged"),
            )
        return numbers
