"""What was let go, and why."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["EnetCounts"]


@dataclass(slots=True)
class EnetCounts:
    """How much came that was not taken.  It only grows."""

    malformed: int = 0
    """Datagrams that could not be read to their end."""
    foreign: int = 0
    """Datagrams of nobody we know: another address, peer id or session."""
    wrong: int = 0
    """Commands that can't be, or can't be now."""
    repeated: int = 0
    late: int = 0
    """Unreliable messages that something newer had overtaken."""
    full: int = 0
    """Messages and pieces for which ``Limits.enet_waiting_bytes`` had no room; reliable ones come again."""
    implausible: int = 0
    """DISCONNECTs whose number could not come next: lost sight of, or somebody else's."""
    refused: int = 0
    """(host) CONNECTs for which there was no place."""
    unproved: int = 0
    """(host) connections given up because nobody proved to be at their address."""
