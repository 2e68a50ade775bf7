"""What the URL of a WebSocket asks for: to join, or to resume, and how."""

from __future__ import annotations

import zlib
from base64 import urlsafe_b64decode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

from dcl_comms_core.codec import decode_message
from dcl_comms_core.errors import DecodeError
from dcl_comms_core.livekit.urls import ONE, TWO
from dcl_comms_core.proto import livekit
from dcl_comms_core.servers.livekit.pages import RoomPage, said
from dcl_comms_core.tools.json_text import json_object

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dcl_comms_core.limits import Limits

__all__ = ["Ask", "read_ask"]

_PARAMETERS: Final = 64
_VALIDATE: Final = "/validate"
_BEARER: Final = "Bearer "
_GZIP: Final = 31
_NESTING: Final = 2


@dataclass(slots=True)
class Ask:
    """What somebody wants."""

    token: str
    validate: bool
    """Only to know whether he would be let in."""
    offer: livekit.SessionDescription | None = None
    resume: bool = False
    protocol: int = 0
    metadata: str = ""
    attributes: dict[str, str] = field(default_factory=dict[str, str])


def bearer(headers: Mapping[str, str]) -> str:
    """The token in a request's headers, whose names are in lower case; or nothing."""
    value = headers.get("authorization", "")
    return value[len(_BEARER) :] if value.startswith(_BEARER) else ""


def read_ask(target: str, headers: Mapping[str, str], limits: Limits) -> Ask | RoomPage | None:
    """Read it.  An answer: it is broken; None: nothing that is asked for by a WebSocket is there."""
    path, _, query = target.partition("?")
    path = f"/{path.lstrip('/')}".rstrip("/")
    validate = path.endswith(_VALIDATE)
    path = path.removesuffix(_VALIDATE)
    if path not in {ONE, TWO}:
        return None
    try:
        found = {name: values[0] for name, values in parse_qs(query, max_num_fields=_PARAMETERS).items()}
    except ValueError:
        return said(400, "too many parameters")
    ask = Ask(bearer(headers) or found.get("access_token", ""), validate)
    wrapped = found.get("join_request")
    if wrapped is not None:
        return _with_request(ask, wrapped, limits) or said(400, "cannot unmarshal wrapped join request")
    if path == ONE:
        return said(400, "join_request is required")
    ask.resume = found.get("reconnect") in {"1", "true"}
    ask.protocol = _number(found.get("protocol", ""))
    ask.attributes = _attributes(found.get("attributes", ""), limits)
    return ask


def _with_request(ask: Ask, text: str, limits: Limits) -> Ask | None:
    try:
        wrapped = decode_message(livekit.WrappedJoinRequest, _plain(text), limits=limits)
        request = decode_message(livekit.JoinRequest, _unpacked(wrapped, limits.server_signal_bytes), limits=limits)
    except (DecodeError, ValueError, zlib.error):
        return None
    ask.offer = request.publisher_offer
    ask.resume = request.reconnect
    ask.protocol = 0 if request.client_info is None else request.client_info.protocol
    ask.metadata = request.metadata
    ask.attributes = dict(request.participant_attributes)
    return ask


def _plain(text: str) -> bytes:
    return urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))


def _unpacked(wrapped: livekit.WrappedJoinRequest, most: int) -> bytes:
    if wrapped.compression is not livekit.Compression.GZIP:
        return wrapped.join_request
    packed = zlib.decompressobj(_GZIP)
    data = packed.decompress(wrapped.join_request, most)
    if not packed.eof:
        msg = "it is longer, or cut off"
        raise ValueError(msg)
    return data


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and text.isascii() and len(text) <= len("000") else 0


def _attributes(text: str, limits: Limits) -> dict[str, str]:
    """Those of a parameter; none where it is not written as it should be."""
    try:
        document = json_object(_plain(text), limits.server_signal_bytes, _NESTING) or {}
    except ValueError:
        return {}
    return {key: value for key, value in document.items() if isinstance(value, str)}
