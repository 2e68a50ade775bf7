"""Whose turn it is: what connections want done is done one after the other, and the loop goes round in between.

However many clients there are, and however much each of them sends at once, the loop works for little more than
one piece of it before it comes to everything else.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

__all__ = ["Turns"]


class Turns:
    """Turns of about ``seconds`` each, in the order in which they were asked for."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = asyncio.Lock()
        self._until = 0.0

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[None]:
        """A turn of one's own: what is done inside should not wait, and stop once it is ``spent``."""
        async with self._lock:
            self._until = time.monotonic() + self._seconds
            yield
            await asyncio.sleep(0)

    @property
    def spent(self) -> bool:
        """Whether this turn has been long enough."""
        return time.monotonic() >= self._until
