"""For whom a datagram is: one port takes those of all participants.

Checks (STUN) name whom they are for.  Everything else is known by its address, which is somebody's from when it
answered a check of his: so nobody can make an address his own that he doesn't receive at, nor take another's.  Until
then it goes to whom the last check from there was for.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from dcl_comms_core.livekit.webrtc import Address

__all__ = ["Routes"]

T = TypeVar("T")
K = TypeVar("K")

_STUN: Final = 4
"""What begins with less is one."""
_HEAD: Final = 20
_REQUEST: Final = b"\x00\x01"
_SUCCESS: Final = b"\x01\x01"
_USERNAME: Final = 6
_ATTRIBUTES: Final = 16
"""So many are looked at."""
_ASKED: Final = 1_024
"""Checks of ours that nobody answered yet, of all together: an answer that comes after more of them is not known.  As
many addresses that nobody proved are remembered."""


class Routes(Generic[T]):
    """Who is known by which name, and at which address."""

    __slots__ = ("_asked", "_claims", "_frags", "_owners")

    def __init__(self) -> None:
        self._frags: dict[str, T] = {}
        self._owners: dict[Address, T] = {}
        self._claims: OrderedDict[Address, T] = OrderedDict()
        self._asked: OrderedDict[tuple[Address, bytes], T] = OrderedDict()

    def name(self, owner: T, frags: list[str]) -> None:
        """Checks of these names are for this one, and of others no more."""
        for old in [one for one, who in self._frags.items() if who is owner and one not in frags]:
            del self._frags[old]
        self._frags.update(dict.fromkeys(frags, owner))

    def forget(self, owner: T) -> None:
        """Nothing is for this one any more."""
        self.name(owner, [])
        _forget(self._owners, owner)
        _forget(self._claims, owner)
        _forget(self._asked, owner)

    def sent(self, owner: T, remote: Address, datagram: bytes) -> None:
        """This one sends something: a check is remembered."""
        if datagram[:2] == _REQUEST:
            self._asked[remote, datagram[8:_HEAD]] = owner
            if len(self._asked) > _ASKED:
                self._asked.popitem(last=False)

    def owns(self, owner: T, remote: Address) -> bool:
        """Whether this one receives at this address."""
        return self._owners.get(remote) is owner

    def find(self, remote: Address, datagram: bytes) -> T | None:
        """For whom it is; None: for nobody."""
        if datagram and datagram[0] < _STUN:
            if datagram[:2] == _REQUEST:
                return self._claim(remote, self._frags.get(_name(datagram)))
            if datagram[:2] == _SUCCESS:
                owner = self._asked.pop((remote, datagram[8:_HEAD]), None)
                if owner is not None:
                    self._owners[remote] = owner
                    self._claims.pop(remote, None)
                return owner
        return self._owners.get(remote) or self._claims.get(remote)

    def _claim(self, remote: Address, owner: T | None) -> T | None:
        if owner is not None and remote not in self._owners:
            self._claims[remote] = owner
            if len(self._claims) > _ASKED:
                self._claims.popitem(last=False)
        return owner


def _forget(table: dict[K, T], owner: T) -> None:
    for key in [one for one, who in table.items() if who is owner]:
        del table[key]


def _name(datagram: bytes) -> str:
    """The first half of a check's USERNAME: by what its receiver is known; or nothing."""
    at = _HEAD
    for _ in range(_ATTRIBUTES):
        kind, size = int.from_bytes(datagram[at : at + 2]), int.from_bytes(datagram[at + 2 : at + 4])
        if kind == _USERNAME:
            return datagram[at + 4 : at + 4 + size].partition(b":")[0].decode("latin-1")
        at += 4 + size + -size % 4
    return ""
