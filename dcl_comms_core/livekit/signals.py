"""The WebSocket to a LiveKit server: requests go out, responses come in, and its silence is noticed.

The server sends nothing by itself while nothing happens, and looks at no pings; so that its silence means something it
is asked for a sign of life every few seconds.  Any message is one.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from dcl_comms_core.codec import decode_message, encode
from dcl_comms_core.commands import CloseSocket, OpenSocket, SendFrame
from dcl_comms_core.errors import DecodeError
from dcl_comms_core.proto import livekit

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.adapters.url_guard import Place
    from dcl_comms_core.commands import Command, PortCommand
    from dcl_comms_core.inputs import FrameReceived, LinkRef
    from dcl_comms_core.limits import Limits

__all__ = ["Signals"]

_LEAVE: Final = encode(
    livekit.SignalRequest(leave=livekit.LeaveRequest(reason=livekit.DisconnectReason.CLIENT_INITIATED))
)
_INTERVAL: Final = 5.0
_TIMEOUT: Final = 15.0
"""Seconds, where the server says none."""
_LONGEST: Final = 3_600


class Signals:
    """One socket after the other.  ``number``: gives each a number of its own; ``put``: takes commands."""

    __slots__ = (
        "_asked_at", "_asking", "_heard_at", "_interval", "_limits", "_number", "_pinged_at", "_put", "_timeout",
        "_token", "link", "open", "round_trip",
    )  # fmt: skip

    def __init__(
        self, number: Callable[[], LinkRef], put: Callable[[Command | PortCommand], None], limits: Limits
    ) -> None:
        # A list of who is in a room is longer than a packet, and tells more that we don't know.
        most = limits.signal_bytes
        self._limits = replace(limits, packet_bytes=most, unknown_bytes=most)
        self._number = number
        self._put = put
        self._interval = _INTERVAL
        self._timeout = _TIMEOUT
        self._heard_at = 0.0
        self._asked_at = 0.0
        self._pinged_at: float | None = None
        """When the server was asked for the sign of life that has not come yet."""
        self._asking: list[Callable[[float | None], None]] = []
        """Who is to be told the next round trip."""
        self._token = 0
        self.round_trip: float | None = None
        """Seconds to the server and back, as measured last; None: not yet."""
        self.link: LinkRef | None = None
        """The socket, from when it is asked for to its end; None: there is none."""
        self.open = False
        """Whether it takes messages."""

    def dial(self, url: str, within: Place | None) -> None:
        """Open another socket."""
        self.link = self._number()
        self._put(OpenSocket(link=self.link, url=url, within=within, farewell=_LEAVE))

    def opened(self, now: float) -> None:
        """It is open."""
        self.open = True
        self._heard_at = self._asked_at = now
        self._pinged_at = None

    def keep(self, join: livekit.JoinResponse) -> None:
        """The server says how often it wants to be asked, and how long its silence may be."""
        if 0 < join.ping_interval <= _LONGEST and 0 < join.ping_timeout <= _LONGEST:
            self._interval, self._timeout = float(join.ping_interval), float(join.ping_timeout)

    def send(self, request: livekit.SignalRequest) -> None:
        """Send a request, if there is a socket."""
        self._send(encode(request))

    def _send(self, data: bytes) -> None:
        if self.open and self.link is not None:
            self._token += 1
            self._put(SendFrame(link=self.link, token=self._token, data=data))

    def say_reached_at(self, candidate: str) -> None:
        """Say where we can be reached on the connection that the server offered."""
        init = json.dumps({"candidate": candidate, "sdpMid": "0", "sdpMLineIndex": 0})
        trickle = livekit.TrickleRequest(candidate_init=init, target=livekit.SignalTarget.SUBSCRIBER)
        self.send(livekit.SignalRequest(trickle=trickle))

    def say_leave(self) -> None:
        """Say that we leave."""
        self._send(_LEAVE)

    def read(self, frame: FrameReceived, now: float) -> livekit.SignalResponse | None:
        """What a message says; None: nothing that we understand."""
        self._heard_at = now
        if frame.text:
            return None
        try:
            response = decode_message(livekit.SignalResponse, frame.data, limits=self._limits)
        except DecodeError:
            return None
        # A number that we did not send measures nothing.
        if response.pong_resp is not None and self._pinged_at is not None:
            measured = response.pong_resp.last_ping_timestamp == _milliseconds(self._pinged_at)
            if measured:
                self.round_trip = now - self._pinged_at
            self._pinged_at = None
            self._answer(self.round_trip if measured else None)
        return response

    def hang_up(self) -> None:
        """Close the socket, or give it up."""
        if self.link is not None:
            self._put(CloseSocket(link=self.link))
        self.gone()

    def gone(self) -> None:
        """There is none any more."""
        self.link = None
        self.open = False
        self._answer(None)

    # --- its silence

    def silent(self, now: float) -> float:
        """For how many seconds nothing came."""
        return now - self._heard_at

    def deadline(self) -> float | None:
        """When to ask for a sign of life, or to take it for dead."""
        return min(self._asked_at + self._interval, self._heard_at + self._timeout) if self.open else None

    def is_dead(self, now: float) -> bool:
        """Whether it was silent for too long; asks for a sign of life when it is time to."""
        if not self.open:
            return False
        if now >= self._heard_at + self._timeout:
            return True
        if now >= self._asked_at + self._interval:
            self._ping(now)
        return False

    def measure(self, then: Callable[[float | None], None], now: float) -> None:
        """Tell ``then`` the next round trip, in seconds; or None, where the socket ends before."""
        if not self.open:
            then(None)
            return
        self._asking.append(then)
        if self._pinged_at is None:
            self._ping(now)

    def _ping(self, now: float) -> None:
        self._asked_at = self._pinged_at = now
        ping = livekit.Ping(timestamp=_milliseconds(now), rtt=_milliseconds(self.round_trip or 0.0))
        self.send(livekit.SignalRequest(ping_req=ping))

    def _answer(self, seconds: float | None) -> None:
        asking, self._asking = self._asking, []
        for then in asking:
            then(seconds)


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
