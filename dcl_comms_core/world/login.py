"""What a request for a room says of us: that we are a guest, and a world's password, to that world only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcl_comms_core.errors import InvalidConnectionString, LocalProtocolError, SigningRefused
from dcl_comms_core.identity.guard import ChallengeGuard
from dcl_comms_core.identity.signed_fetch import login_metadata
from dcl_comms_core.tools.urls import host_and_port, http_url

if TYPE_CHECKING:
    from dcl_comms_core.adapters.connection_string import Adapter

__all__ = ["Login"]


class Login:
    """``target``: the realm's URL, or an adapter.  ``secret``: the password of the world there, or None.

    It is said to the realm's own host, and between hosts of the Foundation, which serves worlds at several; to nobody
    else whom an answer names, to no gatekeeper, and never without encryption where the realm is asked with it.
    """

    __slots__ = ("_foundation", "_is_guest", "_realm", "_secret")

    def __init__(self, target: str | Adapter, *, is_guest: bool, secret: str | None) -> None:
        if not (secret is None or isinstance(secret, str)):  # pyright: ignore[reportUnnecessaryIsInstance]
            msg = f"secret= is a world's password, text, not {type(secret).__name__}"
            raise LocalProtocolError(msg)
        self._realm = target if isinstance(target, str) else str(getattr(target, "url", ""))
        self._is_guest = is_guest
        self._secret = secret
        self._foundation = ChallengeGuard()

    def said_to(self, url: str) -> dict[str, object]:
        """The metadata of a request to this URL."""
        secret = self._secret if self._is_the_realms(url) else None
        return login_metadata(is_guest=self._is_guest, secret=secret)

    def _is_the_realms(self, url: str) -> bool:
        realm = self._realm
        if not realm.startswith(("http:", "https:")) or (realm.startswith("https:") and not url.startswith("https:")):
            return False
        return host_and_port(http_url(url)) == host_and_port(realm) or self._are_the_foundations(url, realm)

    def _are_the_foundations(self, *urls: str) -> bool:
        try:
            for url in urls:
                self._foundation.check_url(url)
        except (SigningRefused, InvalidConnectionString):
            return False
        return True
