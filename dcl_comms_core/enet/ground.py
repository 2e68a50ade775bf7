"""What all connections of a client or a host stand on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dcl_comms_core.enet.counts import EnetCounts
from dcl_comms_core.enet.options import EnetOptions
from dcl_comms_core.tools.prng import Prng

if TYPE_CHECKING:
    from dcl_comms_core.limits import Limits

__all__ = ["Ground"]


class Ground:
    """Options, limits, a clock that nobody can guess, and where connections put what they have to tell."""

    def __init__(self, entropy: int, options: EnetOptions | None, limits: Limits) -> None:
        self.options = EnetOptions() if options is None else options
        self.limits = limits
        self.counts = EnetCounts()
        self.prng = Prng(entropy)
        self.told: list[Any] = []
        """Events, oldest first."""
        self.touched: dict[Any, None] = {}
        """Connections that may have something to send, or another deadline, since they were looked at; the first that
        was touched first, so that the same inputs give the same datagrams in the same order."""
        self._origin = self.prng.bits() & 0xFFFF

    def touch(self, connection: Any) -> None:
        """A connection is to be looked at."""
        self.touched[connection] = None

    def stamp(self, now: float) -> int:
        """The low 16 bits of our clock in ms."""
        return int(now * 1000.0) + self._origin & 0xFFFF

    def take_told(self) -> list[Any]:
        """Take the events."""
        told = self.told[:]
        self.told.clear()
        return told
