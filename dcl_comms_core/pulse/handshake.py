"""Who we are, as Pulse wants it proved: the headers of a signed request for ``connect:/``, as one JSON object."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.identity.signed_fetch import UnsignedRequest
from dcl_comms_core.tools.dates import milliseconds

if TYPE_CHECKING:
    from dcl_comms_core.identity.auth_chain import AuthChain

__all__ = ["Proof"]

# The service lowers method and path before it compares, but nothing else.
_METADATA: Final = "{}"


class Proof:
    """What is to be signed, one after the other: the service takes no proof twice, so no two have the same time."""

    __slots__ = ("_request", "_timestamp")

    def __init__(self) -> None:
        self._timestamp = 0
        self._request = UnsignedRequest("", "", _METADATA, 0)

    def payload(self, unix_now: float) -> str:
        """What to sign now.  LocalProtocolError: there is no such time."""
        now = milliseconds(unix_now)
        if now is None:
            msg = "unix_now must be a finite number of seconds"
            raise LocalProtocolError(msg)
        self._timestamp = max(now, self._timestamp + 1)
        payload = f"connect:/:{self._timestamp}:{_METADATA}"
        self._request = UnsignedRequest("", payload, _METADATA, self._timestamp)
        return payload

    def encoded(self, chain: AuthChain) -> bytes:
        """The proof, with a chain that signs the last payload."""
        return json.dumps(self._request.headers(chain), separators=(",", ":")).encode("ascii")
