"""Where a redirect leads, and what of a request may go along."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin

from dcl_comms_core.adapters.url_guard import Target
from dcl_comms_core.errors import RequestFailed, TargetProblem, TargetRefused
from dcl_comms_core.states import CloseReason

if TYPE_CHECKING:
    from dcl_comms_core.adapters.url_guard import Place
    from dcl_comms_core.commands import Fetch

__all__ = ["REDIRECTS", "redirected"]

REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_SAFE_METHODS: Final = frozenset({"GET", "HEAD"})
_KEEPS_METHOD: Final = frozenset({307, 308})
# What anybody may get; everything else stays with the origin that it was meant for.
_HARMLESS: Final = frozenset({"accept", "accept-language", "user-agent"})


def redirected(request: Fetch, status: int, location: str, *, place: Place) -> Fetch:
    """Return the request to make next; ``place`` is where the server is that answered, so it may lead no nearer.

    Another origin gets none of the headers of a signed request, and no body.  Raises TargetRefused (no URL, or from
    https to http) or RequestFailed (a body that would have to go to another origin).
    """
    try:
        url = urljoin(request.url, location)
    except ValueError:
        url = ""
    old, new = Target.of_http(request.url), Target.of_http(url)
    if old.secure and not new.secure:
        raise TargetRefused(TargetProblem.PLAIN, "a redirect from https to http")
    following = replace(request, url=url, within=place)
    if request.method not in _SAFE_METHODS and status not in _KEEPS_METHOD:
        following = replace(following, method="GET", body=b"")
    if old.origin == new.origin:
        return following
    if following.method not in _SAFE_METHODS:
        raise RequestFailed(CloseReason.PROTOCOL, f"a {following.method} redirected to another origin")
    headers = tuple((name, value) for name, value in request.headers if name.lower() in _HARMLESS)
    return replace(following, headers=headers, body=b"")
