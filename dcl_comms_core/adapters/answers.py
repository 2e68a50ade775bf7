"""What a server's answer to a request for a connection string means: an adapter, or a refusal with its reason.

Services agree on little.  worlds-content-server answers with ``fixedAdapter``, comms-gatekeeper with ``adapter``; a
refusal is any status with words (``wording``), 200 included.  Where a status leaves open what is meant (401 and 403 are
a ban, a missing permission, a wrong clock, a signature that was not understood, or a firewall; 503 is a full world or a
service that is down) the words decide, and only there.

=============  ==============================================  =================
reason         from                                            what may help
=============  ==============================================  =================
BANNED         words of a ban                                  NEVER
WRONG_SECRET   401 or 403 that speaks of a world's password    NEVER
DENIED         401, 403 with words of the wallet, 451; 200     NEVER
               with words
SIGNATURE      401, 403 with words of the signature            FRESH_CREDENTIALS
CLOCK          the same of its time; or the answer's ``Date``  FRESH_CREDENTIALS
               is over a minute from ours
BLOCKED        401, 403, 407 that say nothing of the wallet    BACKOFF
NOT_FOUND      404, 410                                        NEVER
BAD_REQUEST    any other 4xx                                   NEVER
THROTTLED      429; words of too many requests                 BACKOFF
FULL           words of a full room                            BACKOFF
UNAVAILABLE    408, 425, 5xx                                   BACKOFF
MALFORMED      anything else                                   BACKOFF
ENDLESS        adapters that lead to more adapters             NEVER
=============  ==============================================  =================

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
from dcl_comms_core.adapters.wording import Topic, read_words, words_of
from dcl_comms_core.errors import InvalidConnectionString
from dcl_comms_core.limits import DEFAULT_LIMITS, Limits
from dcl_comms_core.states import RETRY, CloseReason, Retry
from dcl_comms_core.tools.dates import parse_http_date
from dcl_comms_core.tools.json_text import json_object

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dcl_comms_core.adapters.wording import Words

__all__ = ["REFUSAL_RETRY", "Refusal", "RefusalReason", "read_answer", "refusal"]

_SKEW_SECONDS: Final = 60.0
"""What services allow."""
_DIGITS = re.compile(r"[0-9]{1,18}")


class RefusalReason(Enum):
    """Why a server gave no connection string."""

    BANNED = "the wallet is banned"
    WRONG_SECRET = "the world's password was not given, or is another one"  # noqa: S105
    DENIED = "access denied"
    SIGNATURE = "the server did not accept the signature"
    BLOCKED = "refused, and not for what this wallet is: by a firewall or a proxy, or whoever asks"
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
    RefusalReason.WRONG_SECRET: CloseReason.WRONG_SECRET,
    RefusalReason.DENIED: CloseReason.DENIED,
    RefusalReason.SIGNATURE: CloseReason.AUTHENTICATION,
    RefusalReason.BLOCKED: CloseReason.BLOCKED,
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

_OK: Final = 200
_OPEN: Final = frozenset({_OK, 401, 403})
_REFUSED: Final = frozenset({401, 403})
_BY_WORDS: Final = (
    (_REFUSED, Topic.FIREWALL, RefusalReason.BLOCKED),
    (_OPEN, Topic.BAN, RefusalReason.BANNED),
    (_REFUSED, Topic.LOGIN, RefusalReason.SIGNATURE),
    (_OPEN | {400}, Topic.CLOCK, RefusalReason.CLOCK),
    (_REFUSED, Topic.MISSING, RefusalReason.BAD_REQUEST),
    (_REFUSED, Topic.SIGNATURE, RefusalReason.SIGNATURE),
    (_OPEN | {409, 503}, Topic.FULL, RefusalReason.FULL),
    (_OPEN | {503}, Topic.THROTTLE, RefusalReason.THROTTLED),
    (_REFUSED, Topic.SECRET, RefusalReason.WRONG_SECRET),
    (_REFUSED - {401}, Topic.WORLD, RefusalReason.WRONG_SECRET),
    (_REFUSED, Topic.WALLET, RefusalReason.DENIED),
)
"""The first row that fits counts: of these statuses, with words that speak of this."""
_BY_STATUS: Final = {
    200: RefusalReason.DENIED,
    401: RefusalReason.BLOCKED,
    403: RefusalReason.BLOCKED,
    404: RefusalReason.NOT_FOUND,
    407: RefusalReason.BLOCKED,
    408: RefusalReason.UNAVAILABLE,
    410: RefusalReason.NOT_FOUND,
    425: RefusalReason.UNAVAILABLE,
    429: RefusalReason.THROTTLED,
    451: RefusalReason.DENIED,
}
_BY_HUNDRED: Final = {4: RefusalReason.BAD_REQUEST, 5: RefusalReason.UNAVAILABLE}
_OF_WHO_ASKS: Final = frozenset(
    {
        RefusalReason.BANNED, RefusalReason.WRONG_SECRET, RefusalReason.DENIED, RefusalReason.SIGNATURE,
        RefusalReason.CLOCK,
    }
)  # fmt: skip
"""What an answer can't mean that was given to nobody in particular."""


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
        return refusal(status, headers, body, document, unix_now=unix_now, limits=limits)
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
    return refusal(status, headers, body, document, unix_now=unix_now, limits=limits)


def refusal(
    status: int,
    headers: Mapping[str, str],
    body: str | bytes,
    document: Mapping[str, object] | None,
    *,
    unix_now: float,
    limits: Limits,
    signed: bool = True,
) -> Refusal:
    """Say why an answer that holds nothing of use is a refusal.

    ``document`` is the body's JSON object, if it is one.  Not ``signed``: whoever asked was nobody to the server.
    """
    words = read_words(body, limits.answer_chars) if document is None else words_of(document)
    reason = _reason(status, words, said=document is not None)
    if not signed and reason in _OF_WHO_ASKS:
        reason = RefusalReason.BLOCKED
    if reason is RefusalReason.SIGNATURE and _skewed(headers, unix_now):
        reason = RefusalReason.CLOCK
    return Refusal(
        reason=reason,
        status=status,
        retry_after=_retry_after(headers, unix_now, limits.retry_after_seconds),
        detail=words.shown,
    )


def _reason(status: int, words: Words, *, said: bool) -> RefusalReason:
    """``said``: it is a JSON object, as services answer with."""
    if words.is_page and status in _REFUSED:
        return RefusalReason.BLOCKED
    if status == _OK and not (said and words.shown):
        return RefusalReason.MALFORMED
    for statuses, topic, reason in _BY_WORDS:
        if status in statuses and topic in words.topics:
            return reason
    return _BY_STATUS.get(status) or _BY_HUNDRED.get(status // 100, RefusalReason.MALFORMED)


def _header(headers: Mapping[str, str], wanted: str) -> str:
    return next((value.strip() for name, value in headers.items() if name.lower() == wanted), "")


def _skewed(headers: Mapping[str, str], unix_now: float) -> bool:
    """Whether the server's clock differs from ours by more than services allow: many have one text for everything."""
    date = parse_http_date(_header(headers, "date"), unix_now=unix_now)
    return date is not None and abs(date - unix_now) > _SKEW_SECONDS


def _retry_after(headers: Mapping[str, str], unix_now: float, longest: float) -> float | None:
    text = _header(headers, "retry-after")
    if _DIGITS.fullmatch(text):
        return min(float(text), longest)
    date = parse_http_date(text, unix_now=unix_now)
    return None if date is None else min(max(0.0, date - unix_now), longest)
