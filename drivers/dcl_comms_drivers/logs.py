"""What a connection writes into Python's logging, under ``dcl_comms``: an observer like any other, and never a secret.

========  ==========================================================================================================
level     what
========  ==========================================================================================================
WARNING   a room that was lost or ended without our doing, Warnings, limits
INFO      rooms that open and that we leave, what was restored, islands
5         each packet, in and out: its size, whose it is and what became of it; its bytes are not written down
========  ==========================================================================================================

Whether anybody listens is looked at once, when the connection is made: where nobody does nothing is done.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from dcl_comms_core import events as ev
from dcl_comms_core.printable import clean
from dcl_comms_core.states import CloseReason
from dcl_comms_core.tap import QuietTap, Tap

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dcl_comms_core.commands import Command, SendData
    from dcl_comms_core.events import Event
    from dcl_comms_core.inputs import Input
    from dcl_comms_core.peers import PeerId
    from dcl_comms_drivers.settings import Options

__all__ = ["NAME", "PACKETS", "LogTap", "observed"]

NAME: Final = "dcl_comms"
PACKETS: Final = 5
"""The level of packets, below DEBUG."""

# A library that nobody asked says nothing, not even through logging's last resort.
logging.getLogger(NAME).addHandler(logging.NullHandler())


def _ended(event: Any) -> tuple[int, str]:
    level = logging.INFO if event.reason is CloseReason.CLIENT else logging.WARNING
    detail = f": {event.detail}" if event.detail else ""
    return level, f"closed: {event.reason.value} (retry: {event.retry.value}){detail}"


_LINES: Final[Mapping[type, Callable[[Any], tuple[int, str]]]] = {
    ev.RoomOpened: lambda event: (logging.INFO, f"open as {event.identity.text}"),
    ev.RealmOpened: lambda event: (logging.INFO, f"island service open as {event.identity.text}"),
    ev.RoomClosed: _ended,
    ev.RealmClosed: _ended,
    ev.WorldClosed: _ended,
    ev.Reconnecting: lambda event: (logging.WARNING, f"lost: {event.reason.value}; attempt {event.attempt}"),
    ev.Reconnected: lambda event: (logging.INFO, f"restored, after {event.attempt} attempts"),
    ev.IslandChanged: lambda event: (logging.INFO, f"island {event.island}"),
    ev.Kicked: lambda event: (logging.WARNING, f"kicked: {event.cause.value}"),
    ev.CredentialsNeeded: lambda _: (logging.WARNING, "fresh credentials are needed"),
    ev.Warning: lambda event: (logging.WARNING, f"{event.code.value}: {event.text}"),
    ev.LimitReached: lambda event: (logging.WARNING, f"limit reached: {event.limit} ({event.value})"),
}


class LogTap(QuietTap):
    """Writes lines into one logger."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    def step(self, at: float, item: Input | Command | Event) -> None:  # noqa: ARG002 - logging has its own clock
        """Write what an event says, if it is one of those."""
        line = _LINES.get(type(item))
        if line is not None:
            level, text = line(item)
            self._logger.log(level, "%s: %s", getattr(item, "room", "") or "all", clean(text))

    def received(
        self,
        at: float,  # noqa: ARG002
        room: str,
        sender: PeerId | None,
        data: bytes,
        *,
        reliable: bool,  # noqa: ARG002
        topic: str,  # noqa: ARG002
        private: bool,
        verdict: str,
    ) -> None:
        """Write down that a packet came."""
        who = "somebody" if sender is None else clean(sender.text)
        alone = " for us alone" if private else ""
        self._logger.log(PACKETS, "%s: in %d bytes of %s%s: %s", room, len(data), who, alone, verdict)

    def sent(self, at: float, room: str, command: SendData) -> None:  # noqa: ARG002
        """Write down that a packet of ours went out."""
        to = "everybody" if command.to is None else f"{len(command.to)} peers"
        self._logger.log(PACKETS, "%s: out %d bytes to %s", room, len(command.data), to)


class _Both(QuietTap):
    """The user's own observer, and ours."""

    def __init__(self, one: Tap, other: Tap) -> None:
        self._all = one, other

    def step(self, at: float, item: Input | Command | Event) -> None:
        for tap in self._all:
            tap.step(at, item)

    def received(self, at: float, room: str, sender: PeerId | None, data: bytes, **how: Any) -> None:
        for tap in self._all:
            tap.received(at, room, sender, data, **how)

    def sent(self, at: float, room: str, command: SendData) -> None:
        for tap in self._all:
            tap.sent(at, room, command)

    def acknowledged(self, at: float, room: str, tokens: tuple[int, ...], *, failed: bool) -> None:
        for tap in self._all:
            tap.acknowledged(at, room, tokens, failed=failed)


def observed(options: Options) -> tuple[Options, LogTap | None]:
    """The options with what is to hear of packets, and what is to hear of events; None: nothing, or that already."""
    logger = logging.getLogger(f"{NAME}.{options.log}" if options.log else NAME)
    if not _is_heard(logger) or not logger.isEnabledFor(logging.WARNING):
        return options, None
    tap = LogTap(logger)
    if not logger.isEnabledFor(PACKETS):
        return options, tap
    return replace(options, tap=tap if options.tap is None else _Both(options.tap, tap)), None


def _is_heard(logger: logging.Logger) -> bool:
    """Whether anybody would get a record."""
    one: logging.Logger | None = logger
    while one is not None:
        if any(not isinstance(handler, logging.NullHandler) for handler in one.handlers):
            return True
        one = one.parent if one.propagate else None
    return False
