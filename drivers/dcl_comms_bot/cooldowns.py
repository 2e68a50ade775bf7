"""How often a command may be used, on the room's clock, so that it holds under run_bot too."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from dcl_comms_core.tools.arguments import require_number

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.events import ChatReceived

__all__ = ["Cooldown", "per_command", "per_peer"]

_MOST: Final = 10_000
"""Peers that are remembered; the oldest are forgotten."""


class Cooldown:
    """At most ``times`` in ``seconds`` for each key.  ``key``: of an event, what is counted together."""

    def __init__(self, seconds: float, times: int, key: Callable[[ChatReceived], str]) -> None:
        require_number(seconds, "a cooldown is a number of seconds")
        self.seconds = seconds
        self.times = times
        self._key = key
        self._used: OrderedDict[str, list[float]] = OrderedDict()

    def take(self, event: ChatReceived) -> float:
        """Seconds until it may be used again; 0: it may, and is counted."""
        key, now = self._key(event), event.at
        used = [at for at in self._used.get(key, ()) if now - at < self.seconds]
        if len(used) >= self.times:
            return used[0] + self.seconds - now
        used.append(now)
        self._used[key] = used
        self._used.move_to_end(key)
        if len(self._used) > _MOST:
            self._used.popitem(last=False)
        return 0.0


def per_peer(seconds: float, times: int = 1) -> Cooldown:
    """So often for each peer."""
    return Cooldown(seconds, times, lambda event: "" if event.sender is None else event.sender.key)


def per_command(seconds: float, times: int = 1) -> Cooldown:
    """So often for everybody together."""
    return Cooldown(seconds, times, lambda _: "")
