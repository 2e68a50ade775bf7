"""Tap: the one observer of a session, that logging, recording, metrics and pages stand on.

A tap sees every packet in and out, with what became of it, and everything else that goes in or comes out of a session:
inputs, commands, events, those about a packet too.  It never sees a secret: access tokens, auth chains, what is signed
and the bodies of requests, frames and datagrams are blanked, each as long as it was.  Without a tap nothing of this is
done.

=====================  ================================================================================================
verdict                what became of a packet that came
=====================  ================================================================================================
``told``               the application gets an event
``late``               the room takes no packets now, or it is older than what its sender sent before
``held``               beyond its sender's allowance: told when that has recovered, unless a newer one takes its place
``rate``               beyond its sender's allowance: let go
``ignored``            its sender is ignored: let go unread
``rejected:R@N``       no acceptable packet, for the RejectReason ``R`` in lower case, at byte ``N``
anything else          why it is old news or no news: the name in the counter ``dropped.<name>``
=====================  ================================================================================================
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

from dcl_comms_core.commands import Fetch, OpenLink, OpenSocket, SendData, SendDatagram, SendFrame
from dcl_comms_core.events import IslandChanged, SignatureNeeded
from dcl_comms_core.inputs import (
    DatagramReceived,
    DataReceived,
    Fetched,
    FrameReceived,
    SendAcknowledged,
    SendsAcknowledged,
    TokenRefreshed,
)
from dcl_comms_core.tools.urls import url_without_secrets

if TYPE_CHECKING:
    from dcl_comms_core.commands import Command
    from dcl_comms_core.events import Event
    from dcl_comms_core.inputs import Input
    from dcl_comms_core.peers import PeerId

__all__ = ["QuietTap", "Tap", "Taps", "is_packet", "is_plain", "without_secrets"]

_PACKETS: Final = (DataReceived, SendData, SendAcknowledged, SendsAcknowledged)
_SECRETIVE: Final = (
    OpenLink, IslandChanged, TokenRefreshed, SignatureNeeded, OpenSocket, SendFrame, FrameReceived, SendDatagram,
    DatagramReceived, Fetch, Fetched,
)  # fmt: skip


@runtime_checkable
class Tap(Protocol):
    """An observer.  It is called inside of a turn, so it must not block; what it raises ends the connection."""

    def received(
        self,
        at: float,
        room: str,
        sender: PeerId | None,
        data: bytes,
        *,
        reliable: bool,
        topic: str,
        private: bool,
        verdict: str,
    ) -> None:
        """A packet came, at ``at`` (seconds of the host's clock), into the room with this label."""
        ...

    def sent(self, at: float, room: str, command: SendData) -> None:
        """A packet of ours was given to the transport; of a ws-room too, whose own command is a SendFrame."""
        ...

    def acknowledged(self, at: float, room: str, tokens: tuple[int, ...], *, failed: bool) -> None:
        """The transport took packets of ours, or (``failed``) says that it did not."""
        ...

    def step(self, at: float, item: Input | Command | Event) -> None:
        """An input, a command or an event that is no packet itself, without its secrets."""
        ...


class QuietTap(Tap):
    """A tap that makes nothing of what it is told: derive from it to hear of some only."""

    def received(
        self,
        at: float,
        room: str,
        sender: PeerId | None,
        data: bytes,
        *,
        reliable: bool,
        topic: str,
        private: bool,
        verdict: str,
    ) -> None:
        """A packet came."""

    def sent(self, at: float, room: str, command: SendData) -> None:
        """A packet of ours was given to the transport."""

    def acknowledged(self, at: float, room: str, tokens: tuple[int, ...], *, failed: bool) -> None:
        """The transport took packets of ours, or did not."""

    def step(self, at: float, item: Input | Command | Event) -> None:
        """An input, a command or an event that is no packet itself."""


class Taps(Tap):
    """Several taps as one, each told in turn: ``connect(..., tap=Taps(page.tap, recording.tap))``.

    They may come and go while the session runs.
    """

    def __init__(self, *taps: Tap) -> None:
        self._taps = taps

    def add(self, tap: Tap) -> None:
        """Tell it too, from now on."""
        self._taps = (*self._taps, tap)

    def remove(self, tap: Tap) -> None:
        """Tell it no longer; nothing happens where it was not told."""
        self._taps = tuple(one for one in self._taps if one is not tap)

    def received(
        self,
        at: float,
        room: str,
        sender: PeerId | None,
        data: bytes,
        *,
        reliable: bool,
        topic: str,
        private: bool,
        verdict: str,
    ) -> None:
        """A packet came."""
        for tap in self._taps:
            tap.received(at, room, sender, data, reliable=reliable, topic=topic, private=private, verdict=verdict)

    def sent(self, at: float, room: str, command: SendData) -> None:
        """A packet of ours was given to the transport."""
        for tap in self._taps:
            tap.sent(at, room, command)

    def acknowledged(self, at: float, room: str, tokens: tuple[int, ...], *, failed: bool) -> None:
        """The transport took packets of ours, or did not."""
        for tap in self._taps:
            tap.acknowledged(at, room, tokens, failed=failed)

    def step(self, at: float, item: Input | Command | Event) -> None:
        """An input, a command or an event that is no packet itself."""
        for tap in self._taps:
            tap.step(at, item)


def is_packet(item: Input | Command | Event) -> bool:
    """Whether a tap is told of this as a packet, and not as a step."""
    return isinstance(item, _PACKETS)


@cache
def is_plain(kind: type[object]) -> bool:
    """Whether what is of this class is no packet, and has no secret in any place: it is told as it is."""
    return not issubclass(kind, _PACKETS + _SECRETIVE)


def without_secrets(item: Input | Command | Event) -> Input | Command | Event:  # noqa: PLR0911 - one flat dispatch
    """The same, with placeholders for what may be secret, each as long as it was."""
    if is_plain(type(item)):  # type: ignore[arg-type]  # a class has a hash, whatever its instances have
        return item
    match item:
        case OpenLink() | IslandChanged():
            return replace(item, adapter=item.adapter.without_secrets())
        case TokenRefreshed():
            return replace(item, token=item.token.without_signature())
        case SignatureNeeded():
            return replace(item, payload="x" * len(item.payload))
        case OpenSocket():
            return replace(item, url=url_without_secrets(item.url))
        case SendFrame() | FrameReceived() | SendDatagram() | DatagramReceived():
            return replace(item, data=bytes(len(item.data)))
        case Fetch():
            headers = tuple((name, "x" * len(value)) for name, value in item.headers)
            return replace(item, url=url_without_secrets(item.url), headers=headers, body=bytes(len(item.body)))
        case Fetched():
            headers = tuple((name, "x" * len(value)) for name, value in item.headers)
            return replace(item, url=url_without_secrets(item.url), headers=headers, body=bytes(len(item.body)))
        case _:  # a packet
            return item
