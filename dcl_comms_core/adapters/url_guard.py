"""Where a URL may lead: what a server of the realm's choice must not make this machine connect to.

A realm names the URLs that we request next, with our signature in their headers.  A realm on the internet must not
reach into our network with them, nor have them sent in the clear.  Two looks are taken: :meth:`Target.check` before
anything is resolved, and :meth:`Target.check_address` at the very address that is about to be connected to, so that a
name which resolves to something else the second time (DNS rebinding) gains nothing.

============  =====================================================  =================================
a realm at    is e.g.                                                may lead to
============  =====================================================  =================================
PUBLIC        8.8.8.8, 2600::1                                       PUBLIC
PRIVATE       10/8, 172.16/12, 192.168/16, 100.64/10, fc00::/7       PUBLIC, PRIVATE
LINK_LOCAL    169.254/16, fe80::/10                                  PUBLIC, PRIVATE, LINK_LOCAL
LOOPBACK      127/8, ::1                                             PUBLIC, PRIVATE, LOOPBACK
RESERVED      0.0.0.0, multicast, documentation, local NAT64         nothing, and nothing leads there
============  =====================================================  =================================

What the user names himself (``within=None``) may be anywhere but RESERVED.  An IPv6 address that stands for an IPv4
one (mapped, NAT64, 6to4, Teredo) is where that one is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Self

from dcl_comms_core.errors import InvalidConnectionString, TargetProblem, TargetRefused
from dcl_comms_core.tools.urls import host_and_port, http_url, request_url, websocket_url

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["LEADS_TO", "Place", "Target", "place_of"]


class Place(Enum):
    """How far away an address is."""

    PUBLIC = "public"
    PRIVATE = "private"
    LINK_LOCAL = "link-local"
    LOOPBACK = "loopback"
    RESERVED = "reserved"


_NEAR = frozenset({Place.PUBLIC, Place.PRIVATE})

LEADS_TO: Final[Mapping[Place, frozenset[Place]]] = MappingProxyType(
    {
        Place.PUBLIC: frozenset({Place.PUBLIC}),
        Place.PRIVATE: _NEAR,
        Place.LINK_LOCAL: _NEAR | {Place.LINK_LOCAL},
        Place.LOOPBACK: _NEAR | {Place.LOOPBACK},
        Place.RESERVED: frozenset[Place](),
    }
)
"""Where a server may send us, by where it is."""

_ANYWHERE = frozenset(Place) - {Place.RESERVED}

# The first network that holds an address decides; one that is in none is public.
_PLACES_4: Final = tuple(
    (IPv4Network(network), place)
    for place, networks in (
        (Place.LOOPBACK, ("127.0.0.0/8",)),
        (Place.LINK_LOCAL, ("169.254.0.0/16",)),
        (Place.PRIVATE, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "198.18.0.0/15")),
        (
            Place.RESERVED,
            ("0.0.0.0/8", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.51.100.0/24", "203.0.113.0/24"),
        ),
        (Place.RESERVED, ("224.0.0.0/4", "240.0.0.0/4")),
    )
    for network in networks
)
_PLACES_6: Final = tuple(
    (IPv6Network(network), place)
    for network, place in (
        ("::1/128", Place.LOOPBACK),
        ("fe80::/10", Place.LINK_LOCAL),
        ("fc00::/7", Place.PRIVATE),
        ("fec0::/10", Place.PRIVATE),
        # What translators, tunnels and documentation use, where no IPv4 address can be read out of it.
        ("2001::/23", Place.RESERVED),
        ("2001:db8::/32", Place.RESERVED),
        ("3fff::/20", Place.RESERVED),
        # Unicast on the internet is 2000::/3.
        ("2000::/3", Place.PUBLIC),
        ("::/0", Place.RESERVED),
    )
)
_NAT64: Final = IPv6Network("64:ff9b::/96")
_PORTS: Final = {"http": 80, "ws": 80, "https": 443, "wss": 443, "udp": 0}
_SECURE: Final = frozenset({"https", "wss"})
# The forms of IPv4 addresses that resolvers know and the URL's reader does not: 0x7f000001, 0177.0.0.0x1.
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+")
_LOCAL_NAMES: Final = (".local", ".internal", ".lan", ".home", ".corp", ".intranet", ".home.arpa")


def place_of(address: str) -> Place:
    """Say where an IP address is; a zone (``%eth0``) behind it is ignored.  RESERVED: it is no address at all."""
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return Place.RESERVED
    if isinstance(ip, IPv6Address):
        inner = _inner(ip)
        if inner is None:
            return next(place for network, place in _PLACES_6 if ip in network)
        ip = inner
    return next((place for network, place in _PLACES_4 if ip in network), Place.PUBLIC)


def _inner(ip: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 address stands for."""
    if ip in _NAT64:
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)


@dataclass(frozen=True, slots=True)
class Target:
    """A URL taken apart for a request, or where datagrams go."""

    scheme: str
    """http, https, ws or wss; udp for datagrams."""
    host: str
    """A name or an address in lower case, without brackets."""
    port: int
    path: str = field(repr=False)
    """What to request: the path with its query, percent-encoded; may hold secrets."""

    @classmethod
    def of_http(cls, url: str) -> Self:
        """Take an http(s) URL apart.  TargetRefused: it is none."""
        return cls._of(url, http_url)

    @classmethod
    def of_websocket(cls, url: str) -> Self:
        """Take a ws(s) URL apart; http and https mean ws and wss.  TargetRefused: it is none."""
        return cls._of(url, websocket_url)

    @classmethod
    def of_datagrams(cls, host: str, port: int) -> Self:
        """Where datagrams go: a name, or an address without brackets, and a port.  TargetRefused: it is none."""
        target = cls.of_http(f"http://{f'[{host}]' if ':' in host else host}:{port}")
        if (target.host, target.port, target.path) != (host.lower(), port, "/"):
            raise TargetRefused(TargetProblem.BAD_URL, "not a host's name or address")
        return replace(target, scheme="udp")

    @classmethod
    def _of(cls, url: str, spelt: Callable[[str], str]) -> Self:
        try:
            scheme, _, rest = spelt(url).partition("://")
            path = request_url(f"http://{rest}").partition("://")[2].partition("/")[2]
        except InvalidConnectionString as error:
            problem = str(error)
        else:
            authority = host_and_port(f"{scheme}://{rest}")
            host, _, port = authority.rpartition(":") if re.search(r":[0-9]+$", authority) else (authority, "", "")
            return cls(scheme, host.strip("[]"), int(port or _PORTS[scheme]), f"/{path}")
        # Outside of the handler, so that no exception holding a part of the URL is this one's context.
        raise TargetRefused(TargetProblem.BAD_URL, problem)

    @property
    def secure(self) -> bool:
        """Whether it is asked for over TLS."""
        return self.scheme in _SECURE

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port: who gets what is sent there."""
        return self.scheme, self.host, self.port

    @property
    def authority(self) -> str:
        """The host, with its port where it is not the scheme's own: what the Host header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    def check(self, *, within: Place | None, plain: bool = False) -> None:
        """Look at the URL alone, before anything is resolved.

        ``within``: where the server is that named this URL; None: the user named it.  ``plain``: allow ws and http
        everywhere, not only on loopback.  Raises TargetRefused.
        """
        labels = self.host.removesuffix(".").split(".")
        if ":" not in self.host and _NUMBER.fullmatch(labels[-1]):
            try:
                IPv4Address(self.host)
            except ValueError:
                raise TargetRefused(TargetProblem.BAD_URL, "an odd way to write an address") from None
        place = self._place()
        if place is not None:
            self._check_place(place, within=within, plain=plain)

    def check_address(self, address: str, *, within: Place | None, plain: bool = False) -> Place:
        """Look at the address that is about to be connected to; return where it is.  Raises TargetRefused."""
        place = place_of(address)
        self._check_place(place, within=within, plain=plain)
        return place

    def _place(self) -> Place | None:
        """Where the host is, as far as it can be told without resolving it."""
        name = self.host.removesuffix(".")
        if ":" in name or name.rpartition(".")[2].isdecimal():
            return place_of(name)
        if name == "localhost" or name.endswith(".localhost"):
            return Place.LOOPBACK
        return Place.PRIVATE if name.endswith(_LOCAL_NAMES) else None

    def _check_place(self, place: Place, *, within: Place | None, plain: bool) -> None:
        if place not in (_ANYWHERE if within is None else LEADS_TO[within]):
            whose = "asked for" if within is None else f"named by a {within.value} server"
            raise TargetRefused(TargetProblem.PLACE, f"a {place.value} address {whose}")
        if not (self.secure or plain or place is Place.LOOPBACK):
            raise TargetRefused(TargetProblem.PLAIN, f"{self.scheme}: is for loopback, unless asked for")
