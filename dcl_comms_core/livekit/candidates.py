"""Where a LiveKit server says that it can be reached: candidates, judged before anything is sent there.

A line of SDP, ``candidate:FOUNDATION COMPONENT PROTOCOL PRIORITY ADDRESS PORT typ KIND ...``, on its own as JSON, or in
a description.  Names (``.local``) and ports that call us are of no use here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from dcl_comms_core.adapters.url_guard import LEADS_TO, Place, place_of
from dcl_comms_core.tools.json_text import json_object

if TYPE_CHECKING:
    from dcl_comms_core.livekit.webrtc import Address

__all__ = ["Candidate", "credentials_of", "read_candidate", "read_trickle", "without_candidates"]

_PREFIX: Final = "candidate:"
_LINE: Final = "a=candidate:"
_CREDENTIALS: Final = ("a=ice-ufrag:", "a=ice-pwd:")
_FIELDS: Final = 8
_CHARS: Final = 1_024
_NESTING: Final = 4
_PORTS: Final = range(1, 65_536)
_PORT_DIGITS: Final = 5


class Candidate(NamedTuple):
    """A candidate that may be tried."""

    line: str
    address: Address
    tcp: bool


def read_candidate(line: str, within: Place) -> Candidate | None:
    """Read a candidate of a server that is at ``within``.  None: we can't use it, or must not."""
    fields = line.removeprefix("a=").split()
    if len(line) > _CHARS or len(fields) < _FIELDS or not fields[0].startswith(_PREFIX):
        return None
    protocol, host, port = fields[2].lower(), fields[4], fields[5]
    tcp = protocol == "tcp"
    if not (tcp or protocol == "udp") or (tcp and "passive" not in fields):
        return None
    if not (port.isdecimal() and port.isascii() and len(port) <= _PORT_DIGITS and int(port) in _PORTS):
        return None
    if place_of(host) not in LEADS_TO[within]:
        return None
    return Candidate(" ".join(fields), (host, int(port)), tcp)


def read_trickle(init: str, within: Place) -> Candidate | None:
    """The same of a trickle request's JSON."""
    document = json_object(init, _CHARS, _NESTING)
    line = None if document is None else document.get("candidate")
    return read_candidate(line, within) if isinstance(line, str) else None


def without_candidates(sdp: str) -> tuple[str, list[str]]:
    """A description without its candidates, and these: none is tried that was not judged."""
    lines = sdp.splitlines()
    found = [line for line in lines if line.startswith(_LINE)]
    if not found:
        return sdp, found
    return "".join(f"{line}\r\n" for line in lines if not line.startswith(_LINE)), found


def credentials_of(sdp: str) -> list[str]:
    """The lines of a description that are others in each round of candidates."""
    return [line for line in sdp.splitlines() if line.startswith(_CREDENTIALS)]
