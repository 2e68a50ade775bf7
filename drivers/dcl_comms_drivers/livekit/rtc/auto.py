"""Our own engine first, and the livekit package's where no datagram reaches the server: ``engine="auto"``."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final
from urllib.parse import urlsplit

from dcl_comms_core.adapters.connection_string import LiveKitAdapter
from dcl_comms_core.commands import OpenLink
from dcl_comms_core.inputs import EngineChanged, LinkFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dcl_comms_core.commands import Command
    from dcl_comms_core.inputs import Input
    from dcl_comms_drivers.livekit.rtc.link import RtcLink
    from dcl_comms_drivers.loops.host import ConnectionLink, Receiver

__all__ = ["AutoLink", "forget_hosts", "was_silent"]

_HOSTS: Final = 64
_silent_hosts: dict[str, None] = {}
"""Servers that no datagram reached, of this process; the oldest are forgotten."""


def was_silent(adapter: LiveKitAdapter) -> bool:
    """Whether this server was out of reach of datagrams before."""
    return urlsplit(adapter.url).netloc in _silent_hosts


def forget_hosts() -> None:
    """Try every server by our own engine again."""
    _silent_hosts.clear()


def _remember(adapter: LiveKitAdapter) -> None:
    _silent_hosts[urlsplit(adapter.url).netloc] = None
    if len(_silent_hosts) > _HOSTS:
        del _silent_hosts[next(iter(_silent_hosts))]


class AutoLink:
    """A link over ``first``, until it fails at the datagrams; then over what ``make_second`` gives, for good."""

    name: ClassVar[str] = "auto"

    def __init__(self, first: RtcLink, make_second: Callable[[], ConnectionLink], wake: Callable[[], None]) -> None:
        self._link: ConnectionLink = first
        self._first: RtcLink | None = first
        self._make_second = make_second
        self._wake = wake
        self._opened: OpenLink | None = None
        self._session: Receiver | None = None
        self._failed: OpenLink | None = None

    @property
    def link(self) -> ConnectionLink:
        """The link that is used now."""
        return self._link

    def execute(self, command: Command, *, now: float) -> None:
        """Carry a command out; what comes of it arrives through ``drain``."""
        if isinstance(command, OpenLink):
            self._opened = command
        self._link.execute(command, now=now)

    def drain(self, session: Receiver, *, now: float, limit: int) -> bool:
        """Deliver up to ``limit`` inputs.  True: more are waiting."""
        if self._first is None:
            return self._link.drain(session, now=now, limit=limit)
        self._session = session
        more = self._first.drain(self, now=now, limit=limit)
        if self._failed is not None:
            self._change(self._failed, session, now)
        return more

    def _change(self, command: OpenLink, session: Receiver, now: float) -> None:
        first, self._first, self._failed = self._first, None, None
        assert first is not None  # noqa: S101 - it failed right now
        assert isinstance(command.adapter, LiveKitAdapter)  # noqa: S101 - it opened it
        first.abandon()
        _remember(command.adapter)
        detail = "no datagram reaches this server, is UDP blocked? It is joined by the livekit package's engine"
        session.receive(EngineChanged(link=command.link, detail=detail), now=now)
        self._link = self._make_second()
        self._link.execute(command, now=now)
        self._wake()

    # --- what the first link tells

    def receive(self, inp: Input, *, now: float) -> None:
        """Take one input."""
        assert self._session is not None  # noqa: S101 - it is drained
        assert self._first is not None  # noqa: S101 - it tells
        if isinstance(inp, LinkFailed) and self._first.failed_at_ice:
            self._failed = self._opened
        else:
            self._session.receive(inp, now=now)

    def receive_data(
        self, sender: str | None, data: bytes, *, reliable: bool = True, topic: str = "", now: float
    ) -> None:
        """Take one packet."""
        assert self._session is not None  # noqa: S101 - it is drained
        self._session.receive_data(sender, data, reliable=reliable, topic=topic, now=now)

    def receive_acknowledged(self, tokens: Iterable[int], *, now: float) -> None:
        """Take acknowledgements."""
        assert self._session is not None  # noqa: S101 - it is drained
        self._session.receive_acknowledged(tokens, now=now)

    # --- the rest

    def deadline(self) -> float | None:
        """When ``drain`` must be called although nothing woke us; None: not needed."""
        return self._link.deadline()

    def measure(self, then: Callable[[float | None], None]) -> None:
        """How many seconds it is to the server and back; None: not known."""
        self._link.measure(then)

    def hasten(self) -> None:
        """Have the server acknowledge soon what it has."""
        self._link.hasten()

    def abandon(self) -> None:
        """Let go of everything now."""
        self._link.abandon()
