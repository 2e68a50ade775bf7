"""Profiles that peers sent of themselves, and which peers we asked.

A profile belongs to whoever sent it, whatever address it names inside.  It is kept if we asked that peer for one, or
keep one of it already, and if it is a JSON object that is not older.  Nothing is ever fetched from where a peer says
that its content is: ``trusted_url`` is for programs that want to, and lets through only what they allow.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import urlsplit

from dcl_comms_core.codec import encode
from dcl_comms_core.errors import LocalProtocolError, PacketTooLarge
from dcl_comms_core.limits import DEFAULT_LIMITS
from dcl_comms_core.proto import rfc4
from dcl_comms_core.room.event_size import text_weight
from dcl_comms_core.tools.arguments import require
from dcl_comms_core.tools.json_text import read_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dcl_comms_core.events import ProfileReceived
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.peers import PeerId


__all__ = ["Profile", "Profiles", "build_profile", "trusted_url"]

_PAUSE: Final = 10.0
"""Seconds between two requests to one peer, and between two answers of ours: the explorers' manners, and no limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A peer's profile as it sent it."""

    version: int
    """What the profile says of itself; 0 if it does not."""
    serialized: str
    """JSON: an object.  Untrusted, the address inside too."""
    base_url: str
    """Where the peer says that its content is.  Untrusted: see ``trusted_url``."""
    at: float
    """When it came."""


def trusted_url(url: str, allowed: Iterable[str]) -> str | None:
    """A peer's URL without slashes at its end if it is one of those allowed; None: do not fetch anything from there."""
    plain = url.rstrip("/")
    try:
        parts = urlsplit(plain)
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or not parts.netloc or plain.split() != [plain]:
        return None
    return plain if plain in {other.rstrip("/") for other in allowed} else None


class Profiles:
    """The profiles of a room's peers, bounded by number and by size: the oldest are forgotten."""

    __slots__ = ("_answered_at", "_asked", "_bytes", "_kept", "_limits")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._kept: OrderedDict[PeerId, Profile] = OrderedDict()
        self._bytes = 0
        self._asked: OrderedDict[PeerId, float] = OrderedDict()
        self._answered_at = -_PAUSE

    def get(self, who: PeerId) -> Profile | None:
        """A peer's profile, if one is kept."""
        return self._kept.get(who)

    def wants(self, who: PeerId, version: int, now: float) -> bool:
        """Whether to ask for a profile.  False: none is needed, or the last request was too recent."""
        kept = self._kept.get(who)
        return (kept is None or kept.version < version) and now - self._asked.get(who, -_PAUSE) >= _PAUSE

    def asked(self, who: PeerId, now: float) -> None:
        """Record a request of ours, which was sent."""
        self._asked[who] = now
        self._asked.move_to_end(who)
        if len(self._asked) > self._limits.profiles:
            self._asked.popitem(last=False)

    def answer(self, now: float) -> bool:
        """Record an answer of ours.  False: the last one, which went to everybody, was too recent."""
        if now - self._answered_at < _PAUSE:
            return False
        self._answered_at = now
        return True

    def take(self, event: ProfileReceived) -> None:
        """Keep a profile, and mark it as asked for if we did."""
        who = event.sender
        if who is None:
            return
        event.requested = self._asked.pop(who, None) is not None
        known = self._kept.get(who)
        if known is None and not event.requested:
            return  # nobody takes the place of those that we asked for
        document = read_json(event.serialized, nesting=self._limits.nesting)
        size = _weight(event)
        if not isinstance(document, dict) or size > self._limits.profiles_bytes:
            return
        claim = cast("dict[str, object]", document).get("version")
        version = claim if type(claim) is int else 0
        if known is not None and known.version > version:
            return
        self._forget(who)
        self._kept[who] = Profile(version=version, serialized=event.serialized, base_url=event.base_url, at=event.at)
        self._bytes += size
        while len(self._kept) > self._limits.profiles or self._bytes > self._limits.profiles_bytes:
            self._forget(next(iter(self._kept)))

    def _forget(self, who: PeerId) -> None:
        profile = self._kept.pop(who, None)
        if profile is not None:
            self._bytes -= _weight(profile)


def _weight(profile: Profile | ProfileReceived) -> int:
    return text_weight(profile.serialized) + text_weight(profile.base_url)


def build_profile(serialized: str, base_url: str, limit: int) -> rfc4.ProfileResponse:
    """The answer to those who ask for our profile.

    PacketTooLarge: its packet would take more bytes than ``limit``; LocalProtocolError: others would not keep it.
    """
    require(serialized, str, "a profile is offered as its JSON, a text")
    require(base_url, str, "where a profile's content is, is a URL, a text")
    profile = rfc4.ProfileResponse(serialized_profile=serialized, base_url=base_url)
    size = len(encode(rfc4.Packet(profile_response=profile)))
    if size > limit:
        raise PacketTooLarge(size, limit)
    if not isinstance(read_json(serialized, nesting=DEFAULT_LIMITS.nesting), dict):
        msg = "a profile is the JSON of an object: others would not keep this one"
        raise LocalProtocolError(msg)
    return profile
