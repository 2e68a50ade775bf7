"""Where Pulse is: an address, as people and realm documents write it, and the Foundation's own.

Pulse is the service that tells where everybody is.  Its clients know the Foundation's by a fixed name, one for each
environment; a realm of another make may name its own in ``comms.pulse`` of its ``/about``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Self

from dcl_comms_core.adapters.url_guard import Target
from dcl_comms_core.tools.urls import bad_url, host_and_port, http_url, plain_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dcl_comms_core.adapters.url_guard import Place

__all__ = ["PULSE_PORT", "PulseAddress", "foundation_pulse"]

PULSE_PORT: Final = 7777
_LONGEST: Final = 300
_MORE_THAN_AN_ADDRESS: Final = re.compile(r"[/?#@]")
_PORT: Final = re.compile(r":([0-9]+)\Z")


@dataclass(frozen=True, slots=True)
class PulseAddress:
    """A host and a UDP port."""

    host: str
    """A name or an address in lower case, without brackets."""
    port: int = PULSE_PORT

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``host:port``; without a port, 7777.  InvalidConnectionString: it is none."""
        plain = plain_text(text, _LONGEST)
        if _MORE_THAN_AN_ADDRESS.search(plain):
            raise bad_url("an address is host:port and no more")
        authority = host_and_port(http_url(f"http://{plain}"))
        port = _PORT.search(authority)
        host = authority[: port.start()] if port else authority
        return cls(host.strip("[]"), int(port[1]) if port else PULSE_PORT)

    def is_at(self, url: str) -> bool:
        """Whether it is on the host of an http(s) URL, at any port."""
        return self.host == _host(url).strip("[]")

    def check(self, *, within: Place | None) -> None:
        """Look at it before it is resolved; see ``adapters/url_guard.py``.  TargetRefused: it must not be used.

        ``within``: where the server is that named it; None: the user did.  Datagrams are in the clear in any case.
        """
        Target("http", self.host, self.port, "/").check(within=within, plain=True)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


_FOUNDATION: Final[Mapping[str, PulseAddress]] = MappingProxyType(
    {
        "decentraland.org": PulseAddress("pulse-server.decentraland.org"),
        "decentraland.zone": PulseAddress("pulse-server.decentraland.zone"),
    }
)
"""By the domain of each environment.  Of the third, decentraland.today, none is known."""


def foundation_pulse(url: str) -> PulseAddress | None:
    """Return the address that the Foundation's realms have, by the host of a realm's URL; None: it is none of them."""
    return _FOUNDATION.get(".".join(_host(url).split(".")[-2:]))


def _host(url: str) -> str:
    """The host of an http(s) URL."""
    return _PORT.sub("", host_and_port(http_url(url))).removesuffix(".")
