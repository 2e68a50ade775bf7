"""How often a wallet tried a wrong password of a world, and when that was too often."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from dcl_comms_core.limits import Limits

__all__ = ["SECRET_SECONDS", "SECRET_TRIES", "Tries"]

SECRET_TRIES: Final = 3
"""Wrong passwords that a wallet may try at a world within ``SECRET_SECONDS``."""
SECRET_SECONDS: Final = 60.0


class Tries:
    """Wrong tries of the last minute; at ``server_secret_tries`` the oldest is forgotten."""

    __slots__ = ("_most", "_tries")

    def __init__(self, limits: Limits) -> None:
        self._most = limits.server_secret_tries
        self._tries: deque[tuple[float, str, str]] = deque()

    def spent(self, world: str, address: str, now: float) -> bool:
        """Whether a wallet has to wait before it may try again."""
        while self._tries and self._tries[0][0] <= now - SECRET_SECONDS:
            self._tries.popleft()
        return sum(one[1:] == (world, address) for one in self._tries) >= SECRET_TRIES

    def note(self, world: str, address: str, now: float) -> None:
        """It was wrong."""
        self._tries.append((now, world, address))
        if len(self._tries) > self._most:
            self._tries.popleft()

    def forget(self, world: str, address: str) -> None:
        """It was right."""
        self._tries = deque(one for one in self._tries if one[1:] != (world, address))
