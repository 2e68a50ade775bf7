"""The stages inside: the engine, joining, being announced, the first packets, leaving."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from dcl_comms_drivers.settings import Subscribe

from dcl_comms_core.adapters.connection_string import LiveKitAdapter
from dcl_comms_core.errors import ConnectionLost
from dcl_comms_core.states import CloseReason
from dcl_comms_station.clean import clean
from dcl_comms_station.doctor.engine import CHANGED, OWN, carried_by, start_engine
from dcl_comms_station.doctor.findings import Good, Problem
from dcl_comms_station.doctor.proxies import with_proxies
from dcl_comms_station.exits import CLOSE_EXITS, Exit, explain

if TYPE_CHECKING:
    from dcl_comms_drivers.connection.waiting import Connecting, WaitingConnection

    from dcl_comms_core.adapters.connection_string import Adapter
    from dcl_comms_station.loops import Loop

__all__ = ["Visit"]

_POLL_SECONDS: Final = 0.005
_ADVICE: Final = {
    CloseReason.TIMEOUT: "the server answers over HTTP but no media connection came about: let UDP to the server pass "
    "the firewalls in between, or give the server a TURN relay or a TCP port",
    CloseReason.NETWORK: "the connection broke while joining: let UDP to the server pass the firewalls in between",
    CloseReason.DUPLICATE_IDENTITY: "the same identity joined elsewhere: end that, or ask for another identity",
    CloseReason.ENGINE: "the native engine failed: see the text, and try another version of the livekit package",
    CloseReason.UNREACHABLE: "the server answers over HTTP, not to the engine: see the text, or look for a proxy that "
    "stops WebSockets",
    CloseReason.NOT_FOUND: "something else than LiveKit answers at this path: check the URL",
    CloseReason.TLS: "the engine trusts this machine's authorities: one of your own goes into tls= of connect()",
    CloseReason.FORBIDDEN: "in the clear is for servers on this machine: use wss:, or plain=True (--plain)",
}
_NOT_REACHED: Final = frozenset({CloseReason.UNREACHABLE, CloseReason.TIMEOUT, CloseReason.NETWORK})
_NOT_SHOWN: Final = "that a packet reaches somebody else, for which it takes a second token"
_OTHERWISE: Final = "ask the realm for a new connection string, and try again"


class Visit:
    """One stay in a room; each stage goes on where the last one stopped."""

    def __init__(self, loop: Loop, adapter: Adapter, patience: float, *, plain: bool = False) -> None:
        self._loop = loop
        self._adapter = adapter
        self._patience = patience
        self._plain = plain
        self._own_engine = False
        """Whether our own engine is to carry the room."""
        self._connecting: Connecting | None = None
        self._room: WaitingConnection | None = None

    async def start_engine(self) -> Good:
        """Which engine carries this room, and why; it is there, and is a version that we know."""
        assert isinstance(self._adapter, LiveKitAdapter)  # noqa: S101 - others have no engine
        self._own_engine, good = start_engine(self._adapter)
        return good

    async def join(self) -> Good:
        """The room is open."""
        connecting = self._loop.connect(
            self._adapter, timeout=self._patience, reconnect=False, subscribe=Subscribe.NONE, plain=self._plain
        )
        try:
            self._room = await connecting.__aenter__()
        except ConnectionLost as error:
            detail = error.reason.value + (f": {clean(error.detail, limit=200)}" if error.detail else "")
            advice = _ADVICE.get(error.reason, _OTHERWISE)
            fix = with_proxies(advice) if error.reason in _NOT_REACHED else advice
            raise Problem(CLOSE_EXITS[error.reason], detail, fix) from None
        self._connecting = connecting
        link = self._room.stats.link
        detail = (
            f"as {clean(str(self._room.identity), limit=80)}, with {len(self._room.peers)} others{carried_by(link)}"
        )
        return Good(detail, CHANGED if self._own_engine and link != OWN else "")

    async def await_announcement(self) -> Good:
        """The server makes us known, which is when packets begin to flow."""
        room = self._opened()
        while room.stats.credits == 0:
            await self._loop.sleep(_POLL_SECONDS)
        adapter = self._adapter
        if isinstance(adapter, LiveKitAdapter):
            token, own = adapter.token, room.stats.link == OWN
            by_track = token.grants.can_publish_data if own else token.may_publish("microphone")
            if not (token.grants.can_update_own_metadata or by_track):
                grant = "canPublishData" if own else "a microphone track"
                return Good(
                    "others learn of us up to 3 s late, and our first packets have no sender",
                    f"ask for a token that grants canUpdateOwnMetadata or {grant}",
                )
        return Good("others know us")

    async def send(self) -> Good:
        """A lossy and a reliable packet, to ourselves: the server gives them to nobody."""
        room, adapter = self._opened(), self._adapter
        if isinstance(adapter, LiveKitAdapter) and not adapter.token.grants.can_publish_data:
            raise Problem(
                Exit.REFUSED,
                "the token does not grant canPublishData: the server drops every packet in silence",
                "ask for a token that grants canPublishData, or only listen",
            )
        began = time.monotonic()
        assert room.identity is not None  # noqa: S101 - it is open
        room.send_bytes(b"", to=room.identity, reliable=False)
        room.send_bytes(b"", to=room.identity)
        await room.flush()
        seconds = time.monotonic() - began
        stats = await room.refresh_stats()
        if stats.send_failed:
            raise Problem(Exit.NETWORK, "the transport refused a packet", "see the log of the server")
        there = "" if stats.round_trip is None else f"; {_milliseconds(stats.round_trip)} to the server and back"
        return Good(f"a lossy and a reliable packet accepted{there}", seconds=seconds, not_shown=_NOT_SHOWN)

    async def leave(self) -> Good:
        """Out again, so that nobody sees us linger."""
        connecting, self._connecting = self._connecting, None
        assert connecting is not None  # noqa: S101 - joining did not fail
        await connecting.__aexit__(None, None, None)
        return Good("left")

    async def aclose(self) -> None:
        """Leave, if that did not happen yet."""
        if self._connecting is not None:
            await self.leave()

    def _opened(self) -> WaitingConnection:
        assert self._room is not None  # noqa: S101 - joining did not fail
        return self._room


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1e3:.1f} ms" if seconds else "less than 1 ms"


def unexpected(error: Exception) -> Problem | None:
    """A failure that no stage foresaw but that is one we know; None: a bug of ours."""
    known = explain(error)
    return None if known is None else Problem(Exit(known[0]), known[1], "see the text")
