"""Said once in a process: what goes to Pulse, which has no form that is encrypted, can be read on the way."""

from __future__ import annotations

import logging
import threading
from typing import Final

__all__ = ["tell_once"]

_logger: Final = logging.getLogger("dcl_comms_drivers")
_first: Final = threading.Lock()
"""Whoever gets it says so; it is never given back."""


def tell_once() -> None:
    """Log a warning, the first time that somebody asks for it in this process."""
    if _first.acquire(blocking=False):
        _logger.warning(
            "Pulse is not encrypted: who reads along has the proof of this wallet's login, and where everybody is; "
            "pulse=None avoids it, and a guest has nothing to lose"
        )
