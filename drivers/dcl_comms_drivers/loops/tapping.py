"""What goes through a pump, told to a tap: where there is one, this stands between link and session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dcl_comms_core.tap import is_packet, is_plain, without_secrets

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dcl_comms_core.commands import Command
    from dcl_comms_core.events import Event
    from dcl_comms_core.inputs import Input
    from dcl_comms_core.tap import Tap
    from dcl_comms_drivers.loops.host import Session

__all__ = ["TappedReceiver", "show"]


def show(tap: Tap, items: Iterable[Input | Command | Event], now: float) -> None:
    """Tell a tap of everything here that is no packet: rooms tell of those themselves."""
    for item in items:
        # Most are events of packets: their classes are looked at once.
        if is_plain(type(item)):  # type: ignore[arg-type]  # a class has a hash, whatever its instances have
            tap.step(now, item)
        elif not is_packet(item):
            tap.step(now, without_secrets(item))


class TappedReceiver:
    """Where a link delivers, told of what that is."""

    __slots__ = ("_session", "_tap")

    def __init__(self, session: Session, tap: Tap) -> None:
        self._session = session
        self._tap = tap

    def receive(self, inp: Input, *, now: float) -> None:
        """Take one input."""
        show(self._tap, (inp,), now)
        self._session.receive(inp, now=now)

    def receive_data(self, sender: str | None, data: bytes, **how: Any) -> None:
        """Take one packet."""
        self._session.receive_data(sender, data, **how)

    def receive_acknowledged(self, tokens: Iterable[int], **how: Any) -> None:
        """Take acknowledgements of packets, none of which failed."""
        self._session.receive_acknowledged(tokens, **how)
