"""What a server wrote beside its status: where the words are, what they speak of, and how they are shown.

Services put them under ``error`` or ``message``, or both, of which ``error`` is then a mere title; a firewall answers
with a page or a bare line.  What is looked for here was read in the sources of comms-gatekeeper, worlds-content-server,
``@dcl/crypto`` and its middleware, ws-room-service, catalysts and LiveKit, and in answers of Cloudflare, nginx and AWS.
Names between quotes, and those of worlds, say nothing: a world may be called ``banned.dcl.eth``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple, cast

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["NOTHING_SAID", "Topic", "Words", "read_words", "words_of"]

_PIECES: Final = 8
_DEPTH: Final = 4
_LIST: Final = 4
_PIECE_CHARS: Final = 2_000
_PAGE_CHARS: Final = 8_192
_SHOWN_CHARS: Final = 200
# In this order: what says most comes first.
_KEYS: Final = (
    "message",
    "error",
    "errormessage",
    "error_description",
    "errors",
    "reason",
    "detail",
    "details",
    "title",
)

_NOT_SHOWN = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]+")
# Longer than an address: a token, a signature, a key.  A server may send back what we sent.
_SECRETIVE = re.compile(r"[^\s\"',;]{43,}")
_NAMES = re.compile(r"\"[^\"\n]*\"|'[^'\n ]*'|[^\s\"']{1,250}\.eth\b", re.IGNORECASE)
_NAME: Final = "§"
_PAGE = re.compile(r"\s*<(?:!doctype|html|head|body|\?xml|!--)", re.IGNORECASE)
_MARKED_UP = re.compile(r"\s*<[a-z][a-z0-9]*[\s/>]", re.IGNORECASE)
"""Begins as a piece of a page does."""
_UNSEEN = re.compile(r"<(script|style|svg)\b.*?(?:</\1\s*>|\Z)|<!--.*?(?:-->|\Z)", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[^<>]*>?")
_BLANKS = re.compile(r"\s+")


class Topic(Enum):
    """What words may speak of."""

    BAN = r"\b(?:ban(?:s|ned)?|suspended)\b"
    LOGIN = r"\bephemeral\b|\bsession (?:has )?expired\b"
    """The login that signs, not what it signed."""
    CLOCK = (
        r"\bexpired signature\b"
        r"|\bclock\b[^.\n]{0,40}\b(?:skew|drift|sync)|\b(?:skew|drift)(?:ed)?\b[^.\n]{0,40}\bclock\b"
        r"|\b(?:time ?stamp|signature|request)\b[^.\n]{0,60}\b(?:in the (?:future|past)|ahead"
        r"|too (?:old|new|far|early|late)|expired|stale|skew(?:ed)?|out of (?:range|sync|bounds)|not yet valid)\b"
        r"|\b(?:expired|stale|future|old|skewed)\b[^.\n]{0,30}\btime ?stamp\b"
        r"|\bsigned\b[^.\n]{0,30}\b(?:too long ago|too early|too late|in the (?:future|past))\b"
    )
    MISSING = r"\b(?:no|missing|without(?: an?)?) (?:realm|realmname|scene|sceneid|parcel)\b"
    """Something that the request has to say."""
    SIGNATURE = (
        r"\b(?:invalid|bad|wrong|malformed|incorrect|missing|unverified)\b[^.\n]{0,40}"
        r"\b(?:signature|signed[- ]fetch|auth[- ]?chain|chain|authlink|signer|identity)\b"
        r"|\bsignature\b[^.\n]{0,40}\b(?:invalid|wrong|mismatch(?:ed)?|not match|not valid|verif\w*|failed|rejected)\b"
        r"|\bfinal authority\b|\bauth[- ]?chain\b"
    )
    FULL = (
        r"\b(?:is|are|was|already|currently|now) (?:completely )?full\b"
        r"|\b(?:room|world|scene|server|realm|island) full\b|\bfull (?:room|world|scene|server|realm|island)\b"
        r"|\b(?:at|over|beyond|reached|exceed(?:ed|s)|max(?:imum)?|no)\b[^.\n]{0,40}\bcapacity\b"
        r"|\bcapacity (?:is |was )?(?:reached|exceeded|full)\b"
        r"|\bno (?:more |free )?(?:room|seats?|slots?|places?) left\b"
        r"|\bmax(?:imum)?(?: number of)?[ _-](?:users|participants|players|peers)\b"
        r"|\btoo many (?:users|participants|players|peers|people)\b"
    )
    THROTTLE = (
        r"\btoo many\b[^.\n]{0,30}\b(?:requests?|attempts?|tries|calls)\b"
        r"|\brate[- ]?limit(?:ed|s|ing)?\b|\bthrottl\w+|\bslow down\b"
    )
    SECRET = r"\b(?:shared[- ])?secret\b|\bpass(?:word|code|phrase)\b"  # noqa: S105
    """A world's password."""
    WORLD = r"\ballowed to access world §"
    """The words of the worlds' own server, whose 403 has no other cause than the password."""
    FIREWALL = (
        r"\bcloudflare\b|\bcloudfront\b|\bwaf\b|\bcaptcha\b|\bray id\b|\bproxy\b|\bautomated\b"
        r"|\bbrowser'?s? signature\b|\byour ip\b|\bip address\b|\berror(?: code)?:? 1\d{3}\b"
    )
    WALLET = (
        r"\bden(?:y|ied)\b|\bnot (?:been )?allowed\b|\b(?:allow|deny|black|block|white)[- ]?list"
        r"|\bnot authori[sz]ed to\b|\b(?:no access|access to)\b|\bpermissions?\b|\bprivileges?\b"
        r"|\bwallets?\b|\bowners?\b|\binvit(?:e|ed|ation)\b|\bmembers?\b|\busers?\b|\bnft\b"
    )

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Finds it.  Made at first use: all of them take as long as many modules, and few processes are refused."""
        return re.compile(self.value, re.IGNORECASE)


class Words(NamedTuple):
    """What was written."""

    shown: str = ""
    """For people: one line, short, long words masked."""
    topics: frozenset[Topic] = frozenset()
    is_page: bool = False
    """Whether it is HTML, which no service answers with."""


NOTHING_SAID: Final = Words()


def words_of(document: Mapping[str, object]) -> Words:
    """What a JSON object says, wherever it says it."""
    pieces = list(islice(dict.fromkeys(_texts(document, _DEPTH)), _PIECES))
    return Words(_joined(pieces), _topics("\n".join(pieces)))


def read_words(body: str | bytes, longest: int) -> Words:
    """What a body says that is no JSON object: a line, or a page.  Nothing, if it is longer than ``longest``."""
    if len(body) > longest:
        return NOTHING_SAID
    text = (body if isinstance(body, str) else body.decode("utf-8", "replace"))[:_PAGE_CHARS]
    is_page = _PAGE.match(text) is not None
    if is_page or _MARKED_UP.match(text):
        from html import unescape  # noqa: PLC0415 - a table of all entities, for the few who meet a page

        text = unescape(_TAG.sub(" ", _UNSEEN.sub(" ", text)))
    text = _BLANKS.sub(" ", text).strip(' "')
    if text[:1] in {"{", "["}:
        return NOTHING_SAID  # JSON of another kind, or cut short: data, and no words
    return Words(shown(text), _topics(text), is_page)


def shown(text: str) -> str:
    """A text as people get to see it."""
    line = _NOT_SHOWN.sub(" ", text[:_SHOWN_CHARS])
    if len(text) > _SHOWN_CHARS:
        # The last word may be the beginning of a long one.
        line = line.rpartition(" ")[0] + " ..."
    return _SECRETIVE.sub("***", line).strip()


def _joined(pieces: list[str]) -> str:
    """The first, and behind it what the others have to add."""
    first, *more = pieces or [""]
    added = [piece for piece in more if piece.lower() not in first.lower()]
    return shown(f"{first} ({'; '.join(added)})" if added else first)


def _texts(value: object, depth: int) -> Iterator[str]:
    match value:
        case str():
            yield value[:_PIECE_CHARS]
        case Mapping() if depth:
            members = {key.lower(): member for key, member in cast("Mapping[str, object]", value).items()}
            for key in _KEYS:
                yield from _texts(members.get(key), depth - 1)
        case list() if depth:
            for member in cast("list[object]", value)[:_LIST]:
                yield from _texts(member, depth - 1)
        case _:
            pass


def _topics(text: str) -> frozenset[Topic]:
    nameless = _NAMES.sub(_NAME, text)
    return frozenset(topic for topic in Topic if topic.pattern.search(nameless))
