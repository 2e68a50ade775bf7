"""What may be sent to an address at which nobody has proved to receive: no more bytes than came from there.

Else whoever forges the address that his datagrams come from could have us send others more than he sends.  What is
beyond that waits, a little, for more to come or for the proof.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from dcl_comms_core.livekit.webrtc import Address

__all__ = ["Credits"]

_ADDRESSES: Final = 8
_HELD: Final = 16
"""Datagrams that wait for one address; further ones are lost, and come again if they matter."""


class _Credit:
    __slots__ = ("held", "left")

    def __init__(self) -> None:
        self.left = 0
        self.held: deque[bytes] = deque()


class Credits:
    """Of one participant, by address; of those that he has not proved the oldest are forgotten beyond a few."""

    __slots__ = ("_credits",)

    def __init__(self) -> None:
        self._credits: dict[Address, _Credit] = {}

    def came(self, remote: Address, size: int) -> list[bytes]:
        """So many bytes came from there; gives what may go now."""
        credit = self._of(remote)
        credit.left += size
        out: list[bytes] = []
        while credit.held and len(credit.held[0]) <= credit.left:
            credit.left -= len(credit.held[0])
            out.append(credit.held.popleft())
        return out

    def may_go(self, remote: Address, datagram: bytes) -> bool:
        """Whether this may go there now; if not, it waits, or is lost."""
        credit = self._of(remote)
        if not credit.held and len(datagram) <= credit.left:
            credit.left -= len(datagram)
            return True
        if len(credit.held) < _HELD:
            credit.held.append(datagram)
        return False

    def proved(self, remote: Address) -> list[bytes]:
        """He receives there; gives what may go now."""
        credit = self._credits.pop(remote, None)
        return [] if credit is None else list(credit.held)

    def _of(self, remote: Address) -> _Credit:
        credit = self._credits.get(remote)
        if credit is None:
            if len(self._credits) >= _ADDRESSES:
                del self._credits[next(iter(self._credits))]
            credit = self._credits[remote] = _Credit()
        return credit
