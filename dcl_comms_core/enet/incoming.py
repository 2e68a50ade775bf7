"""What comes on one channel, put into order: what counts, what waits, what is let go.

Reliable commands are numbered from 1 and told in that order.  Unreliable ones bear the number of the last reliable one
before them, and a number of their own since then: they are told once that reliable one was, and only if newer than
what was told.  What waits is bounded in bytes for all channels of a peer together; a reliable command for which there
is no room is not acknowledged, so that it comes again.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final, TypeVar

from dcl_comms_core.enet.delivery import Delivery
from dcl_comms_core.enet.fragments import OVERHEAD, Assembly

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.enet.wire import Fragment

_K = TypeVar("_K")

__all__ = ["AHEAD", "Incoming", "Take", "Unsequenced", "Waiting"]

AHEAD: Final = 0x7000
"""How far ahead of the last number in order one may be: seven windows of 4,096 of the sixteen there are."""
_PIECED: Final = 8
"""Unreliable messages in pieces that are put together at once; the oldest is let go."""
_GROUPS: Final = 1_024
_GROUPS_AHEAD: Final = 32 * _GROUPS


class Take(Enum):
    """What became of a command."""

    TAKEN = "taken"
    REPEATED = "it came before"
    LATE = "something newer was told"
    FULL = "no room to keep it"
    WRONG = "it can't be"


class Waiting:
    """How much waits, of all channels of one peer."""

    __slots__ = ("most", "size")

    def __init__(self, most: int) -> None:
        self.most = most
        self.size = 0

    def take(self, payload: bytes, *, next_up: bool) -> bool:
        """Count it if there is room; what is next in order has room always, so that the rest can leave."""
        size = self.size + len(payload) + OVERHEAD
        if size > self.most and not next_up:
            return False
        self.size = size
        return True

    def give_back(self, payload: bytes, pieces: int = 1) -> None:
        """It waits no more."""
        self.size -= len(payload) + OVERHEAD * pieces


class Incoming:
    """One channel's way in; ``tell`` is given its messages: channel, payload, how it came."""

    __slots__ = (
        "_assemblies",
        "_early",
        "_index",
        "_most",
        "_number",
        "_pieces",
        "_ready",
        "_tell",
        "_unreliable",
        "_waiting",
    )

    def __init__(self, index: int, tell: Callable[[int, bytes, Delivery], None], waiting: Waiting, most: int) -> None:
        self._index = index
        self._tell = tell
        self._waiting = waiting
        self._most = most
        """Bytes of a message."""
        self._number = 0
        """Of the last reliable command in order."""
        self._unreliable = 0
        """Of the last unreliable one told since then."""
        self._ready: dict[int, tuple[bytes, int]] = {}
        """Reliable messages ahead of their turn: by first number, the message and how many numbers it took."""
        self._assemblies: dict[int, Assembly] = {}
        """Reliable messages in pieces, by their first number."""
        self._early: dict[int, dict[int, bytes]] = {}
        """Unreliable messages, whole, ahead of their reliable number: by it, then by their own."""
        self._pieces: dict[tuple[int, int], Assembly] = {}
        """Unreliable messages in pieces: a handful, the newest."""

    # --- reliable

    def reliable(self, number: int, payload: bytes) -> Take:
        """Take a reliable message, and tell what is in order by now."""
        ahead = number - self._number & 0xFFFF
        if len(payload) > self._most:
            return Take.WRONG
        if ahead == 1 and not (self._ready or self._early or self._assemblies or self._pieces):
            self._number = number
            self._unreliable = 0
            self._tell(self._index, payload, Delivery.RELIABLE)
            return Take.TAKEN
        if not 0 < ahead < AHEAD:
            return _behind(ahead)
        if number in self._ready:
            return Take.REPEATED
        if not self._waiting.take(payload, next_up=ahead == 1):
            return Take.FULL
        self._ready[number] = payload, 1
        self._advance()
        return Take.TAKEN

    def fragment(self, number: int, which: Fragment, payload: bytes) -> Take:
        """Take a piece of a reliable message, likewise."""
        ahead = number - self._number & 0xFFFF
        if not 0 < ahead < AHEAD:
            return _behind(ahead)
        first = ahead - which.which
        # All of a message is ahead: one that began before the last number in order would have been told.
        if first < 1 or number != which.start + which.which & 0xFFFF:
            return Take.WRONG
        if which.start in self._ready:
            return Take.REPEATED
        took = self._piece(self._assemblies, which.start, which, payload, next_up=first == 1)
        if took is Take.TAKEN:
            assembly = self._assemblies[which.start]
            whole = assembly.whole()
            if whole is not None:
                del self._assemblies[which.start]
                self._ready[which.start] = whole, assembly.count
                self._advance()
        return took

    def _advance(self) -> None:
        """Tell what is next in order, as far as it is there."""
        while (turn := self._ready.pop(self._number + 1 & 0xFFFF, None)) is not None:
            payload, count = turn
            self._waiting.give_back(payload, count)
            self._tell(self._index, payload, Delivery.RELIABLE)
            for _ in range(count):
                self._step()
            self._unreliable = 0
            early = self._early.pop(self._number, None)
            if early is not None:
                for place in sorted(early):
                    self._unreliable = place
                    self._waiting.give_back(early[place])
                    self._tell(self._index, early[place], Delivery.UNRELIABLE)
            if self._pieces:
                self._forget()

    def _step(self) -> None:
        """The next number is the last in order: nothing else can be told that bears it or one before it."""
        for payload in self._early.pop(self._number, {}).values():
            self._waiting.give_back(payload)
        number = self._number = self._number + 1 & 0xFFFF
        # Who numbers two messages alike has told one of them.
        if number in self._ready:
            self._waiting.give_back(*self._ready.pop(number))
        if number in self._assemblies:
            self._waiting.size -= self._assemblies.pop(number).kept

    def _is_ahead(self, number: int) -> bool:
        return 0 < number - self._number & 0xFFFF < AHEAD

    # --- unreliable

    def unreliable(self, number: int, place: int, payload: bytes) -> Take:
        """Take an unreliable message: the ``place``-th since reliable ``number``."""
        if len(payload) > self._most:
            return Take.WRONG
        if number == self._number:
            if place <= self._unreliable:
                return Take.LATE
            self._unreliable = place
            self._tell(self._index, payload, Delivery.UNRELIABLE)
            if self._pieces:
                self._forget()
            return Take.TAKEN
        if not self._is_ahead(number) or place in self._early.get(number, ()):
            return Take.LATE
        if not self._waiting.take(payload, next_up=False):
            return Take.FULL
        self._early.setdefault(number, {})[place] = payload
        return Take.TAKEN

    def unreliable_fragment(self, number: int, which: Fragment, payload: bytes) -> Take:
        """Take a piece of an unreliable message, likewise."""
        if (which.start <= self._unreliable) if number == self._number else not self._is_ahead(number):
            return Take.LATE
        key = number, which.start
        if key not in self._pieces and len(self._pieces) >= _PIECED:
            self._waiting.size -= self._pieces.pop(next(iter(self._pieces))).kept
        took = self._piece(self._pieces, key, which, payload, next_up=False)
        if took is not Take.TAKEN:
            return took
        assembly = self._pieces[key]
        whole = assembly.whole()
        if whole is None:
            return Take.TAKEN
        self._waiting.size -= self._pieces.pop(key).kept
        return self.unreliable(number, which.start, whole)

    def _forget(self) -> None:
        """Let go of the pieces of unreliable messages that have come too late."""
        for key in list(self._pieces):
            number, place = key
            if (place <= self._unreliable) if number == self._number else not self._is_ahead(number):
                self._waiting.size -= self._pieces.pop(key).kept

    def _piece(
        self, assemblies: dict[_K, Assembly], key: _K, which: Fragment, payload: bytes, *, next_up: bool
    ) -> Take:
        if not Assembly.possible(which, len(payload), self._most):
            return Take.WRONG
        assembly = assemblies.get(key) or Assembly(which, len(payload))
        if not self._waiting.take(payload, next_up=next_up):
            return Take.FULL
        kept = assembly.add(which, payload)
        if not kept:
            self._waiting.give_back(payload)
            return Take.WRONG if kept is None else Take.REPEATED
        assemblies[key] = assembly
        return Take.TAKEN


class Unsequenced:
    """Which unsequenced messages came already: a window of 1,024 groups."""

    __slots__ = ("_first", "_seen")

    def __init__(self) -> None:
        self._first = 0
        self._seen = 0

    def take(self, group: int) -> bool:
        """Whether it is new, and not too far ahead."""
        place = group % _GROUPS
        if group < self._first:
            group += 0x10000
        if group >= self._first + _GROUPS_AHEAD:
            return False
        first = (group & 0xFFFF) - place
        if first != self._first:
            self._first = first
            self._seen = 0
        elif self._seen >> place & 1:
            return False
        self._seen |= 1 << place
        return True


def _behind(ahead: int) -> Take:
    """A number that is not ahead: it was told already, or is none that the other side could use now."""
    return Take.REPEATED if ahead == 0 or ahead > 0xFFFF - AHEAD else Take.WRONG
