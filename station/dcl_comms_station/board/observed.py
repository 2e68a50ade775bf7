"""What is observed of a session, as the Board takes it: live from a tap, or again from a recording.

Times are unix seconds by one offset that never jumps.  No secret is in any of it: see ``dcl_comms_core.tap``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dcl_comms_core.commands import Command, SendData
    from dcl_comms_core.events import Event
    from dcl_comms_core.inputs import Input
    from dcl_comms_core.peers import PeerId

__all__ = ["Acknowledged", "Counted", "Missed", "Observed", "Received", "Sent", "Step"]


class Received(NamedTuple):
    """A packet came: as of ``Tap.received``."""

    t: float
    room: str
    sender: PeerId | None
    data: bytes
    reliable: bool
    topic: str
    private: bool
    verdict: str


class Sent(NamedTuple):
    """A packet of ours was given to the transport: as of ``Tap.sent``."""

    t: float
    room: str
    command: SendData


class Acknowledged(NamedTuple):
    """The transport took packets of ours, or did not: as of ``Tap.acknowledged``."""

    t: float
    room: str
    tokens: tuple[int, ...]
    failed: bool


class Step(NamedTuple):
    """An input, a command or an event: as of ``Tap.step``."""

    t: float
    item: Input | Command | Event


class Counted(NamedTuple):
    """What the connection counted, and what can be done in it: plain values, once a second."""

    t: float
    values: Mapping[str, Any]


class Missed(NamedTuple):
    """So many observations were not kept, because nobody took them in time."""

    t: float
    many: int


Observed: TypeAlias = Received | Sent | Acknowledged | Step | Counted | Missed
"""Any of them."""
