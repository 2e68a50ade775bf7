"""What a recording gives back: what its tap was told, in the same order, each with the time of the wall clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dcl_comms_core.commands import Command, SendData
    from dcl_comms_core.events import Event
    from dcl_comms_core.inputs import Input
    from dcl_comms_core.peers import PeerId
    from dcl_comms_core.tap import Tap

__all__ = ["Acknowledged", "Keyframe", "Lost", "Noted", "Observation", "Received", "Sent", "Stepped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Observation:
    time: float
    """When, unix seconds."""
    at: float
    """When, seconds of the host's clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Received(_Observation):
    """A packet came."""

    room: str
    sender: PeerId | None
    data: bytes
    reliable: bool
    topic: str
    private: bool
    verdict: str

    def tell(self, tap: Tap) -> None:
        """Tell a tap of it."""
        tap.received(
            self.at,
            self.room,
            self.sender,
            self.data,
            reliable=self.reliable,
            topic=self.topic,
            private=self.private,
            verdict=self.verdict,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent(_Observation):
    """A packet of ours went to the transport."""

    room: str
    command: SendData

    def tell(self, tap: Tap) -> None:
        """Tell a tap of it."""
        tap.sent(self.at, self.room, self.command)


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged(_Observation):
    """The transport took packets of ours, or did not."""

    room: str
    tokens: tuple[int, ...]
    failed: bool

    def tell(self, tap: Tap) -> None:
        """Tell a tap of it."""
        tap.acknowledged(self.at, self.room, self.tokens, failed=self.failed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stepped(_Observation):
    """An input, a command or an event that is no packet itself."""

    item: Input | Command | Event

    def tell(self, tap: Tap) -> None:
        """Tell a tap of it."""
        tap.step(self.at, self.item)


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyframe(_Observation):
    """How things stood when one begins to read in the middle: the newest event of each peer and room."""

    events: tuple[Event, ...]

    def tell(self, tap: Tap) -> None:
        """Tell a tap of each event, as of now."""
        for event in self.events:
            tap.step(self.at, event)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost(_Observation):
    """Here the recording lacks something: the disk was slower than the room."""

    count: int
    """How many observations."""
    since: float
    """Of when the first was, seconds of the host's clock."""

    def tell(self, tap: Tap) -> None:
        """A tap is told nothing of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted(_Observation):
    """Figures that whoever records put into the file: ``Recording.note``."""

    values: Mapping[str, object]

    def tell(self, tap: Tap) -> None:
        """A tap is told nothing of it."""


Observation: TypeAlias = Received | Sent | Acknowledged | Stepped | Keyframe | Lost | Noted
"""Any of them."""
