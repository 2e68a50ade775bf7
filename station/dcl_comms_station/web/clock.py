"""The Station's clock."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["unix_clock"]


def unix_clock() -> Callable[[], float]:
    """Unix seconds that never jump: the machine's clock as it is now, and from then on by the monotonic one."""
    offset = time.time() - time.monotonic()
    return lambda: time.monotonic() + offset
