"""Signals that end a program: the first lets it leave, the second does not."""

from __future__ import annotations

import signal
from typing import Any, Final

__all__ = ["HEARD", "LastWord", "code_of"]

HEARD: Final = (signal.SIGINT, signal.SIGTERM)
_KILLED: Final = 128


class LastWord:
    """Which signal came, and what was done about signals before."""

    def __init__(self) -> None:
        self.heard: int | None = None
        """The first signal; None: none came."""
        self._before: dict[signal.Signals, Any] = {}

    def keep(self) -> None:
        """Remember what is done about them now."""
        self._before = {one: signal.getsignal(one) for one in HEARD}

    def hear(self, number: int) -> None:
        """This one came: the next one ends the process."""
        self.heard = number
        for one in HEARD:
            signal.signal(one, signal.SIG_DFL)

    def restore(self) -> None:
        """Have done about them what was done before."""
        for one, handler in self._before.items():
            signal.signal(one, handler)


def code_of(result: object, heard: int | None) -> int:
    """A program's exit code: of the signal that ended it, or what its main function returned."""
    if heard is not None:
        return _KILLED + heard
    return result if isinstance(result, int) and not isinstance(result, bool) else 0
