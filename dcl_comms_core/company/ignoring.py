"""Whom we ignore, and until when; whom to ignore by ourselves."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.peers import peer_id
from dcl_comms_core.tools.arguments import require_number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dcl_comms_core.peers import PeerId, Who

__all__ = ["Ignore", "Ignored", "until"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignore:
    """Whom to ignore by ourselves: peers that send what nobody would.  PeerIgnored says so.

    LocalProtocolError: no number above 0.
    """

    abuse_over: float
    """The abuse score (``PeerTraffic.abuse``) beyond which a peer is ignored; an explorer stays near 0."""
    seconds: float | None = 600.0
    """For how long; None: until ``unignore``."""

    def __post_init__(self) -> None:
        _check_positive(self.abuse_over, "Ignore(abuse_over=) is a finite score above 0")
        if self.seconds is not None:
            _check_positive(self.seconds, "Ignore(seconds=) is a finite number of seconds above 0, or None")


class Ignored:
    """Who is ignored, at most ``limit`` peers.  Reads like a mapping from PeerId to when that ends; None: never.

    A text is as good as a PeerId.  LocalProtocolError: what is looked for is nothing of the kind.
    """

    __slots__ = ("_limit", "ends")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.ends: dict[PeerId, float] = {}
        """When each of them is listened to again; infinity: never.  For reading."""

    def put(self, who: PeerId, end: float) -> bool:
        """Ignore somebody, or until another time.  False: the table is full, and it is not in there."""
        if len(self.ends) >= self._limit and who not in self.ends:
            return False
        self.ends[who] = end
        return True

    def pop(self, who: PeerId) -> bool:
        """Ignore somebody no longer.  False: it was not ignored."""
        return self.ends.pop(who, None) is not None

    def over(self, now: float) -> list[PeerId]:
        """Those whose time has come, who are taken out."""
        found = [who for who, end in self.ends.items() if end <= now]
        for who in found:
            del self.ends[who]
        return found

    @property
    def due(self) -> float | None:
        """When the next of them is listened to again."""
        first = min(self.ends.values(), default=inf)
        return None if first == inf else first

    def full(self, limit: str) -> LocalProtocolError:
        """What to raise where there is no place for one more."""
        return LocalProtocolError(f"{len(self.ends)} peers are ignored already ({limit}): unignore one")

    def get(self, who: Who) -> float | None:
        """When that ends, monotonic seconds; None: never, or it is not ignored."""
        end = self.ends.get(peer_id(who), inf)
        return None if end == inf else end

    def __getitem__(self, who: Who) -> float | None:
        end = self.ends[peer_id(who)]
        return None if end == inf else end

    def __contains__(self, who: object) -> bool:
        return peer_id(who) in self.ends

    def __iter__(self) -> Iterator[PeerId]:
        return iter(tuple(self.ends))

    def __len__(self) -> int:
        return len(self.ends)


def until(seconds: float | None, now: float) -> float:
    """When so many seconds are over; infinity, where there is no end.  LocalProtocolError: no number above 0."""
    if seconds is None:
        return inf
    _check_positive(seconds, "somebody is ignored for a finite number of seconds above 0, or None: until unignore()")
    return now + seconds


def _check_positive(number: float, what: str) -> None:
    require_number(number, what)
    if number <= 0.0:
        msg = f"{what}, not {number!r}"
        raise LocalProtocolError(msg)
