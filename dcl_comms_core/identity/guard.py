"""What a server may have us sign, and where."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, final

from dcl_comms_core.errors import (
    InvalidConnectionString,
    LocalProtocolError,
    SigningProblem,
    SigningRefused,
)
from dcl_comms_core.limits import DEFAULT_LIMITS, Limits
from dcl_comms_core.tools.urls import host_and_port, websocket_url

__all__ = ["DECENTRALAND_HOSTS", "ChallengeGuard"]

DECENTRALAND_HOSTS: Final = (
    "decentraland.org",
    "*.decentraland.org",
    "*.decentraland.zone",
    "*.decentraland.today",
)
"""The hosts of the Decentraland Foundation: production, development, staging."""

_CHALLENGE = re.compile(r"dcl-[!-~]+")
_NOT_IN_HOST = re.compile(r"[/?#\s]")
_LAST_DOT = re.compile(r"\.(?=(?::[0-9]+)?\Z)")
_PORT = re.compile(r":[0-9]+\Z")


@final
class ChallengeGuard:
    """What a server may have signed, and where: without it a server could have a key sign anything.

    Signed are challenges only: ``dcl-`` and printable ASCII, at most ``limits.challenge_chars`` long, which is neither
    a signed request nor a login.  ``hosts`` says where, with or without a port (without: any): ``example.com`` is that
    host, ``*.example.com`` every one below it, and ``*`` all there are.
    """

    __slots__ = ("_hosts", "_limits")
    _hosts: tuple[str, ...]
    _limits: Limits

    def __init__(self, hosts: Iterable[str] = DECENTRALAND_HOSTS, *, limits: Limits = DEFAULT_LIMITS) -> None:
        # Callers may be untyped.
        several = isinstance(hosts, Iterable) and not isinstance(hosts, str | bytes)  # pyright: ignore[reportUnnecessaryIsInstance]
        names = tuple(hosts) if several else ()
        if not several or not all(isinstance(name, str) for name in names):  # pyright: ignore[reportUnnecessaryIsInstance]
            msg = "hosts= takes several hosts, each a text, as in ChallengeGuard(['example.com'])"
            raise LocalProtocolError(msg)
        self._hosts = tuple(map(_pattern, names))
        self._limits = limits

    @property
    def hosts(self) -> tuple[str, ...]:
        """The allow-list."""
        return self._hosts

    @property
    def limits(self) -> Limits:
        """What bounds a challenge."""
        return self._limits

    def allowing(self, *urls: str) -> ChallengeGuard:
        """Return a guard that allows the hosts (with their ports) of these URLs too: of the realm that you named."""
        return ChallengeGuard((*self._hosts, *map(_host, urls)), limits=self._limits)

    def check_url(self, url: str) -> None:
        """Raise SigningRefused if nothing is signed for the host of ``url``; InvalidConnectionString if it has none."""
        host = _host(url)
        if not any(_matches(host, pattern) for pattern in self._hosts):
            raise SigningRefused(SigningProblem.HOST_NOT_ALLOWED, f"{host}; ChallengeGuard(hosts=...) says which are")

    def check_challenge(self, challenge: str, *, url: str) -> None:
        """Raise SigningRefused if ``challenge``, which came from ``url``, is nothing to sign."""
        self.check_url(url)
        limit = self._limits.challenge_chars
        if len(challenge) > limit:
            raise SigningRefused(SigningProblem.NOT_A_CHALLENGE, f"it is longer than {limit} characters")
        if not _CHALLENGE.fullmatch(challenge):
            raise SigningRefused(SigningProblem.NOT_A_CHALLENGE, "it is not dcl- and printable ASCII")

    def __repr__(self) -> str:
        return f"ChallengeGuard({self._hosts!r})"


def _host(url: str) -> str:
    """Return host and port of a ws(s) or http(s) URL, in the one spelling that connection strings give it."""
    return _LAST_DOT.sub("", host_and_port(websocket_url(url)))


def _pattern(text: str) -> str:
    if text == "*":
        return text
    star = "*." if text.startswith("*.") else ""
    bare = text.removeprefix(star)
    try:
        host = "" if _NOT_IN_HOST.search(bare) else _host(bare)
    except InvalidConnectionString:
        host = ""
    if not host:
        msg = "a host to allow is a name or an address, which *. may precede and a :port follow"
        raise LocalProtocolError(msg)
    return star + host


def _matches(host: str, pattern: str) -> bool:
    if not _PORT.search(pattern):
        host = _PORT.sub("", host)
    return pattern == "*" or (host.endswith(pattern[1:]) if pattern.startswith("*.") else host == pattern)
