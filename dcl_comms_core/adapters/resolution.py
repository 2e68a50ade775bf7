"""From a realm's adapter to a transport, through as many signed requests as it takes."""

from __future__ import annotations

from typing import final

from dcl_comms_core.adapters.answers import Refusal, RefusalReason
from dcl_comms_core.adapters.connection_string import Adapter, SignedLoginAdapter
from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.limits import DEFAULT_LIMITS, Limits

__all__ = ["Resolution"]


@final
class Resolution:
    """The way from a realm's adapter to a transport, through as many signed requests as it takes, within a limit.

    ::

        way = Resolution(realm.choose())
        while way.request:
            response = post(way.request.url, signed_fetch_headers(..., metadata=login_metadata()))
            way.answer(read_answer(response.status, response.headers, response.body, unix_now=unix_now))
        way.result  # an Adapter that is no SignedLoginAdapter, or a Refusal
    """

    __slots__ = ("_hops_left", "request", "result")
    _hops_left: int
    request: SignedLoginAdapter | None
    """Where to ask next, or None: there is a result."""
    result: Adapter | Refusal | None

    def __init__(self, adapter: Adapter, *, limits: Limits = DEFAULT_LIMITS) -> None:
        self._hops_left = limits.adapter_hops
        self._take(adapter)

    def answer(self, answer: Adapter | Refusal) -> None:
        """Go on with the answer to the last request."""
        if self.request is None:
            msg = "nothing was asked: the result is there"
            raise LocalProtocolError(msg)
        self._take(answer)

    def _take(self, answer: Adapter | Refusal) -> None:
        self.request, self.result = None, answer
        if isinstance(answer, SignedLoginAdapter):
            if self._hops_left:
                self.request, self.result = answer, None
                self._hops_left -= 1
            else:
                self.result = Refusal(reason=RefusalReason.ENDLESS)
