"""Waking whoever waits for something to change."""

from __future__ import annotations

from abc import ABC, abstractmethod

__all__ = ["Signal"]


class Signal(ABC):
    """Wakes whoever waits for something to change."""

    @abstractmethod
    def notify(self) -> None:
        """Wake all waiters; from the loop's thread."""

    @abstractmethod
    async def wait(self) -> None:
        """Wait for the next ``notify``.  Always lets other tasks run."""
