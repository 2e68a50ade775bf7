"""Where a target is: what its adapter says of a host, a port and a path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

from dcl_comms_core.adapters.connection_string import LiveKitAdapter

if TYPE_CHECKING:
    from dcl_comms_core.adapters.connection_string import Adapter

__all__ = ["Endpoint", "endpoint_of", "endpoint_of_url"]

_PORTS: Final = {"wss": 443, "https": 443, "ws": 80, "http": 80}
_SECURE: Final = frozenset({"wss", "https"})


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server."""

    host: str
    port: int
    secure: bool
    path: str
    """What an HTTP request asks for; never with a query."""

    @property
    def authority(self) -> str:
        """Host and port as a Host header has them."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def endpoint_of_url(url: str, more: str = "") -> Endpoint:
    """The endpoint of an http, https, ws or wss URL; ``more`` is put behind its path.  ValueError: it has none."""
    parts = urlsplit(url)
    host, path = parts.hostname, quote(parts.path.rstrip("/") + more, safe="/%:@!$&'()*+,;=~") or "/"
    if not host:
        msg = "a URL without a host"
        raise ValueError(msg)
    return Endpoint(host, parts.port or _PORTS[parts.scheme], parts.scheme in _SECURE, path)


def endpoint_of(adapter: Adapter) -> Endpoint | None:
    """The endpoint of an adapter's server; None: it needs none."""
    url = getattr(adapter, "url", None)
    if not isinstance(url, str):
        return None
    # Where a LiveKit server judges a token without letting anybody in.
    return endpoint_of_url(url, "/rtc/validate" if isinstance(adapter, LiveKitAdapter) else "")
