"""Offers and answers as the peer, and as the engines of browsers, read them.

Official clients offer sections of sound and pictures beside that of data, before they have any.  The peer is told of
the one of data alone.  In the answer the others are there, and idle: nothing is ever sent on them.  Refused they can't
be, since a browser whose first section is refused opens no channels.
"""

from __future__ import annotations

import re
from typing import Final

from dcl_comms_core.livekit.candidates import without_candidates

__all__ = ["longest_message", "name_of", "of_data", "told"]

_SECTION: Final = re.compile(r"^(?=m=)", re.MULTILINE)
_HEAD: Final = re.compile(r"m=(\S+) (\d+) (\S+) (\S+)")
_MID: Final = re.compile(r"^a=mid:(\S+)\s*$", re.MULTILINE)
_BUNDLE: Final = re.compile(r"^a=group:BUNDLE[^\r\n]*", re.MULTILINE)
_WAY: Final = re.compile(r"^a=(?:ice-ufrag|ice-pwd|ice-options|fingerprint|setup):[^\r\n]*", re.MULTILINE)
_NAME: Final = re.compile(r"^a=ice-ufrag:(\S{1,256})\s*$", re.MULTILINE)
_LONGEST: Final = re.compile(r"^a=max-message-size:([0-9]{1,9})\s*$", re.MULTILINE)
_LONGEST_UNSAID: Final = 65_536
_DATA: Final = "m=application "
_SECTIONS: Final = 64
"""An offer has no more: each is answered."""


def name_of(sdp: str) -> str:
    """By what checks name the side that says this; or nothing."""
    found = _NAME.search(sdp)
    return "" if found is None else found[1]


def longest_message(sdp: str) -> int:
    """How many bytes a message may have for the side that says this."""
    found = _LONGEST.search(sdp)
    return _LONGEST_UNSAID if found is None else int(found[1]) or _LONGEST_UNSAID


def of_data(offer: str) -> str | None:
    """What of an offer is about data; None: nothing, or it has too many sections.

    Its candidates are left out: whoever can reach us is learned from his checks, and nobody else is tried.
    """
    sdp, _ = without_candidates(offer)
    head, *sections = _SECTION.split(sdp)
    ours = next((one for one in sections if one.startswith(_DATA)), None)
    mid = None if ours is None else _MID.search(ours)
    if ours is None or mid is None or len(sections) > _SECTIONS or not all(map(_HEAD.match, sections)):
        return None
    return _bundled(head, [mid[1]]) + ours


def told(answer: str, offer: str) -> str:
    """The peer's answer to what is about data, as it is told to who made the whole offer."""
    sdp, candidates = without_candidates(answer)
    head, *answered = _SECTION.split(sdp)
    ours = "".join(answered)
    way = "".join(f"{line}\r\n" for line in _WAY.findall(ours))
    parts: list[str] = []
    mids: list[str] = []
    for section in _SECTION.split(offer)[1:]:
        if section.startswith(_DATA):
            parts.append(ours)
            mids += _MID.findall(ours)
        else:
            part, bundled = _idle(section, way)
            parts.append(part)
            mids += _MID.findall(part) if bundled else ()
    # They are one connection, of which the first section tells.
    parts[0] += "".join(f"{line}\r\n" for line in candidates)
    return _bundled(head, mids) + "".join(parts)


def _bundled(head: str, mids: list[str]) -> str:
    return _BUNDLE.sub(" ".join(["a=group:BUNDLE", *mids]), head)


def _idle(offered: str, way: str) -> tuple[str, bool]:
    """A section that is there and says nothing, and whether it is a part of the connection."""
    head = _HEAD.match(offered)
    assert head is not None  # noqa: S101 - of_data() has looked
    kind, port, protocol, form = head.groups()
    mid = "".join(f"a=mid:{one}\r\n" for one in _MID.findall(offered)[:1])
    if port == "0" and "\na=bundle-only" not in offered:
        return f"m={kind} 0 {protocol} {form}\r\nc=IN IP4 0.0.0.0\r\n{mid}a=inactive\r\n", False
    known = re.search(rf"^a=rtpmap:{re.escape(form)} [^\r\n]*", offered, re.MULTILINE)
    named = "" if known is None else f"{known[0]}\r\n"
    return (
        f"m={kind} 9 {protocol} {form}\r\nc=IN IP4 0.0.0.0\r\n{way}{mid}a=rtcp-mux\r\n{named}a=inactive\r\n",
        True,
    )
