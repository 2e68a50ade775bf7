"""What a server's answer to a request for a connection string means: an adapter, or a refusal with its reason.

Services agree on little.  worlds-content-server answers with ``fixedAdapter``, comms-gatekeeper with ``adapter``; a
refusal is any status with a text in ``error`` or ``message``, 200 included.  Both a ban and a missing permission come
as 401 or 403, both a full world and a service that is down as 503: there the text decides, and only there.

=============  ====================================  ===================
reason         from                                  what may help
=============  ====================================  ===================
BANNED         a text that speaks of a ban           NEVER
DENIED         401, 403, 451; 200 with a text        NEVER
CLOCK          401 "Expired signature"               FRESH_CREDENTIALS
NOT_FOUND      404, 410                              NEVER
BAD_REQUEST    any other 4xx                         NEVER
THROTTLED      429                                   BACKOFF
FULL           a text that speaks of a full room     BACKOFF
UNAVAILABLE    408, 425, 5xx                         BACKOFF
MALFORMED      anything else                         BACKOFF
ENDLESS        adapters that lead to more adapters   NEVER
=============  ====================================  ===================

What may help is what helps after the CloseReason that it comes to (``Refusal.closes``, ``states.RETRY``), but for two.
FULL: a room that turned us away has used up our token, but who was not given one may ask again for the same.  ENDLESS:
a server that broke the rules may have recovered, but a circle of adapters is how a realm is set up.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from dcl_comms_core.adapters.connection_string import Adapter, parse_connection_string
from dcl_comms_core.errors import InvalidConnectionString
from dcl_comms_core.limits import DEFAULT_LIMITS, Limits
from dcl_comms_core.states import RETRY, CloseReason, Retry
from dcl_comms_core.tools.dates import parse_http_date
from dcl_comms_core.tools.json_text import json_object

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["REFUSAL_RETRY", "Refusal", "RefusalReason", "read_answer", "refusal"]

_SHOWN_CHARS = 200
_WORLD_FULL = 503
_NOT_SHOWN = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]+")
# Longer than an address: a token, a signature, a key.  A server may send back what we sent.
_SECRETIVE = re.compile(r"[^\s\"',;]{43,}")
_BAN = re.compile(r"\bban(?:s|ned)?\b", re.IGNORECASE)
_FULL = re.compile(r"\b(?:is|at|room|world)\b.{0,20}\b(?:full|capacity)\b", re.IGNORECASE)
_EXPIRED = re.compile(r"\bexpired signature\b", re.IGNORECASE)
_DIGITS = re.compile(r"[0-9]{1,18}")


class RefusalReason(Enum):
    """Why a server gave no connection string."""

    BANNED = "the wallet is banned"
    DENIED = "access denied"
    CLOCK = "the signature's time is over: this machine's clock differs from the server's"
    NOT_FOUND = "no such world, scene or service"
    BAD_REQUEST = "the server did not understand the request"
    THROTTLED = "too many requests"
    FULL = "the world is full"
    UNAVAILABLE = "the service is not available"
    MALFORMED = "the server broke the rules"
    ENDLESS = "adapters that lead to more adapters"


_CLOSES: Final[Mapping[RefusalReason, CloseReason]] = {
    RefusalReason.BANNED: CloseReason.BANNED,
    RefusalReason.DENIED: CloseReason.DENIED,
    RefusalReason.CLOCK: CloseReason.CLOCK,
    RefusalReason.NOT_FOUND: CloseReason.NOT_FOUND,
    RefusalReason.BAD_REQUEST: CloseReason.BAD_REQUEST,
    RefusalReason.THROTTLED: CloseReason.THROTTLED,
    RefusalReason.FULL: CloseReason.ROOM_FULL,
    RefusalReason.UNAVAILABLE: CloseReason.UNREACHABLE,
    RefusalReason.MALFORMED: CloseReason.PROTOCOL,
    RefusalReason.ENDLESS: CloseReason.PROTOCOL,
}
_OTHERWISE: Final = {RefusalReason.FULL: Retry.BACKOFF, RefusalReason.ENDLESS: Retry.NEVER}

REFUSAL_RETRY: Final[Mapping[RefusalReason, Retry]] = MappingProxyType(
    {reason: _OTHERWISE.get(reason, RETRY[closes]) for reason, closes in _CLOSES.items()}
)
"""What may help after each reason."""

_BY_STATUS: Final = {
    200: RefusalReason.DENIED,
    401: RefusalReason.DENIED,
    403: RefusalReason.DENIED,
    404: RefusalReason.NOT_FOUND,
    408: RefusalReason.UNAVAILABLE,
    410: RefusalReason.NOT_FOUND,
    425: RefusalReason.UNAVAILABLE,
    429: RefusalReason.THROTTLED,
    451: RefusalReason.DENIED,
}
_BY_HUNDRED: Final = {4: RefusalReason.BAD_REQUEST, 5: RefusalReason.UNAVAILABLE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A server gave no connection string."""

    reason: RefusalReason
    status: int = 0
    """The HTTP status, or 0: no answer came into it."""
    retry_after: float | None = None
    """Seconds that the server asks us to wait (``Retry-After``); None: it said nothing."""
    detail: str = field(default="", compare=False)
    """What the server wrote, for people: one line, short, long words masked."""

    @property
    def closes(self) -> CloseReason:
        """Why a session that needed it is over."""
        return _CLOSES[self.reason]

    @property
    def retry(self) -> Retry:
        """What may help."""
        return REFUSAL_RETRY[self.reason]


def read_answer(
    status: int, headers: Mapping[str, str], body: str | bytes, *, unix_now: float, limits: Limits = DEFAULT_LIMITS
) -> Adapter | Refusal:
    """Read the answer to a signed request for a connection string.  Raises nothing, whatever the server sent.

    ``headers`` may be in any letter case; ``unix_now`` is seconds, for a ``Retry-After`` that is a date.
    """
    document = json_object(body, limits.answer_chars, limits.nesting)
    if document is None or not 200 <= status < 300:  # noqa: PLR2004  # success
        return refusal(status, headers, document, unix_now=unix_now, limits=limits)
    problem = ""
    for key in ("adapter", "fixedAdapter"):
        text = document.get(key)
        if isinstance(text, str):
            try:
                return parse_connection_string(text, limits=limits)
            except InvalidConnectionString as error:
                problem = problem or str(error)
    if problem:
        return Refusal(reason=RefusalReason.MALFORMED, status=status, detail=problem)
    return refusal(status, headers, document, unix_now=unix_now, limits=limits)


def refusal(
    status: int, headers: Mapping[str, str], document: Mapping[str, object] | None, *, unix_now: float, limits: Limits
) -> Refusal:
    """Say why an answer that holds nothing of use is a refusal; ``document`` is its JSON object, if it is one."""
    text = _server_text(document)
    return Refusal(
        reason=_reason(status, text),
        status=status,
        retry_after=_retry_after(headers, unix_now, limits.retry_after_seconds),
        detail=_shown(text),
    )


def _server_text(document: Mapping[str, object] | None) -> str:
    values = (document.get(key) for key in ("error", "message")) if document else ()
    return next((value for value in values if isinstance(value, str)), "")


def _reason(status: int, text: str) -> RefusalReason:
    # The first of these that fits; a text is believed only where its status leaves open what is meant.
    if status in {200, 401, 403} and _BAN.search(text):
        return RefusalReason.BANNED
    if status == 401 and _EXPIRED.search(text):  # noqa: PLR2004  # unauthorized
        return RefusalReason.CLOCK
    if status in {200, 503} and _FULL.search(text):
        return RefusalReason.FULL
    if status == 200 and not text:  # noqa: PLR2004  # OK, but nothing in it
        return RefusalReason.MALFORMED
    return _BY_STATUS.get(status) or _BY_HUNDRED.get(status // 100, RefusalReason.MALFORMED)


def _retry_after(headers: Mapping[str, str], unix_now: float, longest: float) -> float | None:
    text = next((value.strip() for name, value in headers.items() if name.lower() == "retry-after"), "")
    if _DIGITS.fullmatch(text):
        return min(float(text), longest)
    date = parse_http_date(text, unix_now=unix_now)
    return None if date is None else min(max(0.0, date - unix_now), longest)


def _shown(text: str) -> str:
    line = _NOT_SHOWN.sub(" ", text[:_SHOWN_CHARS])
    if len(text) > _SHOWN_CHARS:
        # The last word may be the beginning of a long one.
        line = line.rpartition(" ")[0] + " ..."
    return _SECRETIVE.sub("***", line).strip()
