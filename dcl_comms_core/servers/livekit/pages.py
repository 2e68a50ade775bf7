"""What is answered to HTTP requests."""

from __future__ import annotations

import json
from typing import Final, NamedTuple

__all__ = ["RoomPage", "failed", "page", "said"]

_ANYWHERE: Final = ("Access-Control-Allow-Origin", "*")
_TEXT: Final = ("Content-Type", "text/plain; charset=utf-8")


class RoomPage(NamedTuple):
    """An answer: its status, its bytes, its headers, ``Content-Type`` among them."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = (_ANYWHERE, _TEXT)


def said(status: int, text: str) -> RoomPage:
    """An answer in words.  A page in a browser may read it, wherever it comes from: it holds what a token opens."""
    return RoomPage(status, text.encode())


def page(document: object, status: int = 200) -> RoomPage:
    """An answer as JSON."""
    return RoomPage(status, json.dumps(document).encode(), (_ANYWHERE, ("Content-Type", "application/json")))


def failed(status: int, code: str, text: str) -> RoomPage:
    """An error of the room service, in its form."""
    return page({"code": code, "msg": text}, status)
