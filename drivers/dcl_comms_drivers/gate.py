"""Whom a listener on loopback answers: programs, and pages, of this machine.

That it listens on 127.0.0.1 keeps other machines out, and no web page in a browser of this one.  Such a page may open a
WebSocket to any port here, and says in ``Origin`` where it came from.  With a name of its own that it lets point here
(DNS rebinding) it is of the same origin as what it asks for, and may read the answers; that name stands in ``Host``.
So both are looked at, before anything else, of requests and of WebSockets alike.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from dcl_comms_core.errors import LocalProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Gate"]

_OURS: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})
_HTTP: Final = 80
_PLACE: Final = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::([0-9]{1,5}))?", re.ASCII)
_ORIGIN: Final = re.compile(rf"https?://{_PLACE.pattern}", re.ASCII)
_USUAL_PORT: Final = re.compile(r"(http://.*):80|(https://.*):443")


class Gate:
    """What one listener asks before it answers.

    ``hosts`` are further names, or addresses, that it may be asked for by: ``10.0.0.5`` at any port, as behind
    something that forwards, or ``10.0.0.5:8000``.  ``origins`` are those of further pages: ``https://example.org``.
    LocalProtocolError: one of them is written otherwise.
    """

    def __init__(self, *, hosts: Iterable[str] = (), origins: Iterable[str] = ()) -> None:
        self._hosts = frozenset(_written(_PLACE, "host", "NAME or NAME:PORT", hosts))
        named = _written(_ORIGIN, "origin", "https://NAME or https://NAME:PORT", origins)
        # As browsers write them: without the scheme's own port.
        self._origins = frozenset(_USUAL_PORT.sub(r"\1\2", one) for one in named)

    def refusal(self, headers: Mapping[str, str], *, port: int) -> str | None:
        """Why this request is not answered, in words for its maker; None: it is.

        The names of ``headers`` are in lower case; one that came twice has both values, as ``a, b``.  ``port`` is where
        it listens.
        """
        host = headers.get("host", "").lower()
        if not self._knows(host, port):
            return "this Host is not ours: ask for 127.0.0.1, or have it added to the hosts"
        origin = headers.get("origin")
        if origin is None or origin.lower() in self._origins or _is_near(origin.lower()):
            return None
        return "pages of this Origin are not let in: have it added to the origins"

    def _knows(self, host: str, port: int) -> bool:
        place = _PLACE.fullmatch(host)
        if place is None:
            return False
        name = place[1]
        is_ours = name in _OURS and int(place[2] or _HTTP) == port
        return is_ours or host in self._hosts or name in self._hosts


def _written(form: re.Pattern[str], what: str, how: str, given: Iterable[str]) -> list[str]:
    if isinstance(given, str):
        msg = f"{what}s= takes a list of them"
        raise LocalProtocolError(msg)
    found = [one.lower() for one in given]
    for one in found:
        if form.fullmatch(one) is None:
            msg = f"{one!r} is no {what}: write {how}"
            raise LocalProtocolError(msg)
    return found


def _is_near(origin: str) -> bool:
    """A page that this machine serves; ``null``, which any page can make itself, is none."""
    place = _ORIGIN.fullmatch(origin)
    if place is None:
        return False
    if place[1] == "localhost":
        return True
    try:
        return ip_address(place[1].strip("[]")).is_loopback
    except ValueError:
        return False
