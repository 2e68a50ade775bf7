"""The URLs under which a LiveKit server is joined, and asked why it refused.  They hold the access token."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from dcl_comms_core.codec import encode
from dcl_comms_core.proto import livekit

if TYPE_CHECKING:
    from dcl_comms_core.adapters.connection_string import LiveKitAdapter

__all__ = ["ONE", "PROTOCOL", "TWO", "join_url", "join_url_of_two", "validate_url"]

PROTOCOL: Final = 16
"""The version that we speak: 15 answers requests that went well too, 16 may move us to another room."""
ONE: Final = "/rtc/v1"
"""The path of who has one peer connection."""
TWO: Final = "/rtc"
"""The path of who has two: one for what we send, one for what we receive."""


def join_url(adapter: LiveKitAdapter, token: str, request: livekit.JoinRequest) -> str:
    """The URL for joining, or resuming, with one peer connection."""
    wrapped = encode(livekit.WrappedJoinRequest(join_request=encode(request)))
    return _url(adapter, ONE, token, join_request=urlsafe_b64encode(wrapped).decode())


def join_url_of_two(adapter: LiveKitAdapter, token: str, *, resume: str = "", reason: int = 0) -> str:
    """The URL for joining with two peer connections.  ``resume``: our sid, to go on where we were; ``reason``: why."""
    again = {"reconnect": "1", "sid": resume, "reconnect_reason": str(reason)} if resume else {}
    return _url(adapter, TWO, token, auto_subscribe="0", protocol=str(PROTOCOL), **again)


def validate_url(adapter: LiveKitAdapter, token: str) -> str:
    """The URL under which the server says in words whether it lets us in."""
    scheme, _, rest = adapter.url.partition("://")
    http = "https" if scheme == "wss" else "http"
    return f"{http}://{rest.rstrip('/')}{TWO}/validate?{urlencode({'access_token': token})}"


def _url(adapter: LiveKitAdapter, path: str, token: str, **parameters: str) -> str:
    return f"{adapter.url.rstrip('/')}{path}?{urlencode({'access_token': token, **parameters})}"
