"""Trying again: one policy for rooms, the island service and the ways into rooms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcl_comms_core.states import Retry
from dcl_comms_core.tools.backoff import Backoff

if TYPE_CHECKING:
    from dcl_comms_core.tools.prng import Prng

__all__ = ["Retries"]


class Retries:
    """Counts attempts.  A server that lets us in and at once loses us again is no better than one that doesn't."""

    __slots__ = ("_backoff", "_prng", "_since", "_stable_seconds", "attempt")

    def __init__(self, backoff: Backoff | None, prng: Prng, stable_seconds: float) -> None:
        self._backoff = backoff
        self._prng = prng
        self._stable_seconds = stable_seconds
        self._since: float | None = None
        self.attempt = 0
        """How often it was tried again since it last was stable."""

    def entered(self, now: float) -> None:
        """We are in; who was before stays so."""
        if self._since is None:
            self._since = now

    def over(self, now: float) -> None:
        """We are out; counting begins anew if we had been in for long enough."""
        if self._since is not None and now - self._since >= self._stable_seconds:
            self.attempt = 0
        self._since = None

    def may(self, retry: Retry) -> bool:
        """Whether the same is worth another attempt, and one is left."""
        return retry is Retry.BACKOFF and self.left

    @property
    def any(self) -> bool:
        """Whether anything is ever tried again."""
        return self._backoff is not None and self._backoff.attempts > 0

    @property
    def left(self) -> bool:
        """Whether another attempt is allowed."""
        return self._backoff is not None and self.attempt < self._backoff.attempts

    def renewal(self) -> float:
        """Count an attempt that we make unasked.  Seconds to wait before it, without a policy too: 0 for the first."""
        backoff = Backoff() if self._backoff is None else self._backoff
        pause = backoff.pause(self.attempt, self._prng) if self.attempt else 0.0
        self.attempt += 1
        return pause

    def pause(self) -> float:
        """Count an attempt.  Seconds to wait before it; 0 without a policy."""
        self.attempt += 1
        return 0.0 if self._backoff is None else self._backoff.pause(self.attempt, self._prng)

    def reset(self) -> None:
        """It is not wanted any more; if it is again, nothing was tried yet."""
        self.attempt = 0
        self._since = None
