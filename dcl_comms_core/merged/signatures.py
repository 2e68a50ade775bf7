"""SignatureNeeded of several sessions as those of one: each gets a number of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from dcl_comms_core.events import SignatureNeeded

__all__ = ["Requests"]

Owner = TypeVar("Owner")


class Requests(Generic[Owner]):
    """Who asked for which signature.  As many are remembered as can be waited for at a time; the oldest go first."""

    __slots__ = ("_asked", "_count", "_most")

    def __init__(self, most: int) -> None:
        self._most = most
        self._count = 0
        self._asked: dict[int, tuple[Owner, int]] = {}

    def ask(self, owner: Owner, event: SignatureNeeded) -> SignatureNeeded:
        """The same event with a number of ours."""
        self._count += 1
        self._asked[self._count] = owner, event.request
        if len(self._asked) > self._most:
            del self._asked[next(iter(self._asked))]
        return replace(event, request=self._count)

    def find(self, request: int) -> tuple[Owner, int] | None:
        """Who asked, and by which number; None: nobody did, or it is long over."""
        return self._asked.get(request)

    def forget(self, owner: object) -> None:
        """Whoever it was is over: an answer is of no use to it any more."""
        self._asked = {request: asked for request, asked in self._asked.items() if asked[0] is not owner}
