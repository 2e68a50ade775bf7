"""What of the environment's proxies reaches native code, and how loopback is spared.

Nothing of ours uses a proxy.  LiveKit's engine reads, at each connect and each repair, ``HTTPS_PROXY`` or
``https_proxy`` for ``wss:`` and ``HTTP_PROXY`` or ``http_proxy`` for ``ws:``, the first of them that is set, even if
empty, and never ``NO_PROXY``; where it asks why it was refused, ``ALL_PROXY`` and ``NO_PROXY`` too.
"""

from __future__ import annotations

import ctypes
from typing import Final

__all__ = ["VARIABLES", "https_proxy", "spare_loopback"]

VARIABLES: Final = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
"""Each of them in small letters too."""
_LOOPBACK: Final = "localhost,127.0.0.1,::1"


def https_proxy() -> bool:
    """Whether the engine would go through a proxy to a ``wss:`` URL."""
    return bool(_get("HTTPS_PROXY", "https_proxy"))


def spare_loopback() -> None:
    """See to it that native code goes to loopback directly.

    ``os.environ`` stays as it is.  In the environment of native code, which child processes inherit too, HTTP_PROXY
    becomes empty, and http_proxy has its value: most programs read either, and the engine the first.  NO_PROXY names
    loopback also.
    """
    proxy = _get("HTTP_PROXY", "http_proxy")
    if proxy:
        if not _get("http_proxy"):
            _set("http_proxy", proxy)
        _set("HTTP_PROXY", "")
    if _get("ALL_PROXY", "all_proxy"):
        spared = _get("NO_PROXY", "no_proxy")
        if _LOOPBACK not in spared:
            _set("NO_PROXY", f"{spared},{_LOOPBACK}".lstrip(","))


def _get(*names: str) -> str:
    """The first of them that is set; empty: none is."""
    getenv = ctypes.CDLL(None).getenv
    getenv.restype = ctypes.c_char_p
    for name in names:
        value: bytes | None = getenv(name.encode())
        if value is not None:
            return value.decode("utf-8", "surrogateescape")
    return ""


def _set(name: str, value: str) -> None:
    ctypes.CDLL(None).setenv(name.encode(), value.encode("utf-8", "surrogateescape"), 1)
