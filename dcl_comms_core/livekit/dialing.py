"""Which URL the socket to a LiveKit server is opened with, and why it is refused where it is.

A server that does not know the path of one peer connection is asked by the one of two.  A server may send us elsewhere,
once, and no further than it may lead; one that ended a stay may have said where its room is now, which is tried before
the server itself.  Of a refusal the socket knows the status; a request to the server says more.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from dcl_comms_core.commands import Fetch
from dcl_comms_core.errors import InvalidConnectionString
from dcl_comms_core.inputs import Fetched
from dcl_comms_core.livekit.reasons import read_refusal
from dcl_comms_core.livekit.urls import PROTOCOL, join_url, join_url_of_two, validate_url
from dcl_comms_core.proto import livekit

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.adapters.connection_string import LiveKitAdapter
    from dcl_comms_core.adapters.url_guard import Place
    from dcl_comms_core.commands import Command, PortCommand
    from dcl_comms_core.inputs import FetchFailed, LinkRef
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.livekit.signals import Signals
    from dcl_comms_core.states import CloseReason

__all__ = ["Dialing", "Elsewhere"]

_GOOD: Final = 200
_NOT_FOUND: Final = 404
_MOST_ELSEWHERE: Final = 3
"""So many other places of a room are tried, each for as long as a socket may take."""
_SOCKETS: Final = (("https://", "wss://"), ("http://", "ws://"))


class Elsewhere(NamedTuple):
    """Where a room is now, as its server said that ended our stay."""

    server: str
    """Its own URL."""
    urls: tuple[str, ...]
    within: Place
    """Where it is."""


class Dialing:
    """Of one session.  ``number``: gives a request its number; ``put``: takes commands."""

    __slots__ = (
        "_adapter", "_elsewhere", "_home", "_limits", "_number", "_others", "_put", "_question", "_signals", "_status",
        "_within", "one", "token",
    )  # fmt: skip

    def __init__(
        self,
        adapter: LiveKitAdapter,
        signals: Signals,
        limits: Limits,
        *,
        within: Place | None,
        elsewhere: Elsewhere | None,
        number: Callable[[], LinkRef],
        put: Callable[[Command | PortCommand], None],
    ) -> None:
        self.one = True
        """Whether there is one peer connection, of both directions."""
        self._signals = signals
        self._limits = limits
        self._home = adapter, within
        self._adapter, self._within = self._home
        self._others: list[tuple[LiveKitAdapter, Place | None]] = []
        """Where else to try, and where who said so is."""
        if elsewhere is not None:
            self._others += [(one, elsewhere.within) for one in _others(adapter, elsewhere)]
            self._others.append(self._home)
            self.try_next()
        self._number = number
        self._put = put
        self._elsewhere = False
        self._question: LinkRef | None = None
        self._status = 0
        self.token = adapter.token.reveal()
        """The newest that the server gave us."""

    def try_next(self) -> bool:
        """Whether there is another place to try, which is the one from now on."""
        if not self._others:
            return False
        self._adapter, self._within = self._others.pop(0)
        self.one = True
        return True

    def elsewhere(self, leave: livekit.LeaveRequest, place: Place) -> Elsewhere | None:
        """Where the room is now, by the word of a server at ``place`` that wants us to join anew; None: as before."""
        if leave.action is not livekit.LeaveAction.RECONNECT or leave.regions is None:
            return None
        urls = tuple(region.url for region in leave.regions.regions)[:_MOST_ELSEWHERE]
        return Elsewhere(self._home[0].url, urls, place)

    def join(self, offer: livekit.SessionDescription | None) -> None:
        """Open a socket to join; of one peer connection, with its offer."""
        request = _request()
        request.publisher_offer = offer
        self._dial(request)

    def resume(self, sid: str, reason: livekit.ReconnectReason) -> None:
        """Open a socket to go on where we were; ``reason``: what was lost."""
        request = _request()
        request.reconnect = True
        request.reconnect_reason = reason
        request.participant_sid = sid
        self._dial(request, sid, reason)

    def _dial(
        self,
        request: livekit.JoinRequest,
        sid: str = "",
        reason: livekit.ReconnectReason = livekit.ReconnectReason.RR_UNKNOWN,
    ) -> None:
        if self.one:
            url = join_url(self._adapter, self.token, request)
        else:
            url = join_url_of_two(self._adapter, self.token, resume=sid, reason=reason.value)
        self._signals.dial(url, self._within)

    def fall_back(self, status: int) -> bool:
        """Whether a refusal means that the server knows only the way of two connections, which is taken then."""
        falls_back = self.one and status == _NOT_FOUND
        self.one = self.one and not falls_back
        return falls_back

    def go_elsewhere(self, url: str, place: Place) -> bool:
        """Whether the server at ``place`` may send us there, which is done then."""
        if not self._elsewhere:
            try:
                self._adapter = _at(self._adapter, url)
            except InvalidConnectionString:
                return False
            self._elsewhere = True
            self._within = place
            return True
        return False

    def ask(self, status: int) -> None:
        """The server refused: ask it why."""
        self._status = status
        self._question = self._number()
        url = validate_url(self._adapter, self.token)
        most = self._limits.answer_chars
        self._put(Fetch(link=self._question, url=url, max_bytes=most, within=self._within))

    def answered(self, inp: Fetched | FetchFailed) -> tuple[CloseReason, str] | None:
        """Why it refused; None: this answers another question."""
        if inp.link != self._question:
            return None
        # It may let in by this question whom it turns away at the door.
        words = inp.body.decode(errors="replace") if isinstance(inp, Fetched) and inp.status != _GOOD else ""
        return read_refusal(self._status, words.replace(self.token, "***"))


def _request() -> livekit.JoinRequest:
    return livekit.JoinRequest(
        client_info=livekit.ClientInfo(protocol=PROTOCOL), connection_settings=livekit.ConnectionSettings()
    )


def _at(adapter: LiveKitAdapter, url: str) -> LiveKitAdapter:
    """The same room at another URL.  InvalidConnectionString: it is none."""
    for prefix, scheme in _SOCKETS:
        if url.startswith(prefix):
            url = scheme + url.removeprefix(prefix)
    return replace(adapter, url=url)


def _others(adapter: LiveKitAdapter, elsewhere: Elsewhere) -> list[LiveKitAdapter]:
    """The same room at each of the URLs that are some, if its server said these."""
    found: list[LiveKitAdapter] = []
    for url in elsewhere.urls if elsewhere.server == adapter.url else ():
        with suppress(InvalidConnectionString):
            found.append(_at(adapter, url))
    return found
