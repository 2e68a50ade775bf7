"""The access token of a LiveKit room: a JWT whose claims are read and never verified, and whose text is never shown.

Only the server holds the key that could verify a token, so a claim is a forecast of what the server will say.  It is
good enough to fail early and clearly, before any socket is opened.  What an absent claim means follows LiveKit's own
server (``auth/grants.go``).
"""

from __future__ import annotations

import math
import re
from base64 import urlsafe_b64decode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import NoReturn, Self, cast, final

from dcl_comms_core.errors import (
    ConnectionStringProblem,
    InvalidToken,
    LocalProtocolError,
    PermissionMissing,
    TokenExpired,
    TokenNotYetValid,
)
from dcl_comms_core.limits import DEFAULT_LIMITS, Limits
from dcl_comms_core.tools.bare import raises_bare
from dcl_comms_core.tools.json_text import SURROGATE, read_json

__all__ = ["AccessToken", "Claims", "Grants"]

_JWT_SEGMENTS = 3
_ANY_NESTING = 1_000_000
_SEGMENT = re.compile(r"[A-Za-z0-9_-]+")
# Beyond this a float no longer tells seconds apart, and no clock will get there.
_LAST_SECOND = 2.0**53
_SHOWN_CHARS = 64


@final
class Claims(Mapping[str, object]):
    """An immutable JSON object: values are str, int, float, bool, None, tuples of these, or Claims."""

    __slots__ = ("_values",)
    _values: dict[str, object]

    def __init__(self, values: Mapping[str, object] | None = None) -> None:
        self._values = dict(values or {})

    def __getitem__(self, key: str) -> object:
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Claims({self._values!r})"

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Grants:
    """What a token allows in its room; an absent claim means what LiveKit's server takes it to mean.

    ``can_publish`` and ``can_subscribe`` (tracks) are true when absent; ``can_publish_data`` is what ``can_publish``
    is when absent; everything else is false.  ``can_publish_sources`` names the kinds of track that may be published,
    and None is all of them: an empty list is the same as none.  ``raw`` is the whole ``video`` claim.
    """

    room_join: bool = False
    room_admin: bool = False
    room_create: bool = False
    room_list: bool = False
    room_record: bool = False
    can_publish: bool = True
    can_publish_data: bool = True
    can_subscribe: bool = True
    can_publish_sources: tuple[str, ...] | None = None
    can_update_own_metadata: bool = False
    hidden: bool = False
    recorder: bool = False
    agent: bool = False
    raw: Claims = field(default_factory=Claims, repr=False, compare=False)

    def may_publish(self, source: str) -> bool:
        """Whether a track may be published from ``source``.

        LiveKit's words are ``microphone``, ``camera``, ``screen_share`` and ``screen_share_audio``.
        """
        return self.can_publish and (self.can_publish_sources is None or source in self.can_publish_sources)


@final
class AccessToken:
    """A LiveKit access token: immutable, hashable, equal when the texts are.  Only ``reveal()`` shows the text."""

    __slots__ = (
        "_attributes",
        "_claims",
        "_expires_at",
        "_grants",
        "_identity",
        "_issuer",
        "_metadata",
        "_name",
        "_not_before",
        "_room",
        "_text",
    )
    _attributes: Mapping[str, str]
    _claims: Claims
    _expires_at: float | None
    _grants: Grants
    _identity: str
    _issuer: str
    _metadata: str
    _name: str
    _not_before: float | None
    _room: str
    _text: str

    def __init__(self, text: str, *, limits: Limits = DEFAULT_LIMITS) -> None:
        """Read a token; the same as :meth:`parse`."""
        jwt = _jwt_text(text, limits.connection_string_chars)
        claims = _payload(jwt, limits.nesting)
        video, attributes = _mapping(claims, "video"), _mapping(claims, "attributes")
        subject, token_id = _string(claims, "sub", "sub"), _string(claims, "jti", "jti")
        values: dict[str, object] = {
            "_attributes": MappingProxyType({key: _string(attributes, key, "an attribute") for key in attributes}),
            "_claims": claims,
            "_expires_at": _seconds(claims, "exp"),
            "_grants": _read_grants(video),
            "_identity": subject or token_id,
            "_issuer": _string(claims, "iss", "iss"),
            "_metadata": _string(claims, "metadata", "metadata"),
            "_name": _string(claims, "name", "name"),
            "_not_before": _seconds(claims, "nbf"),
            "_room": _string(video, "room", "video.room"),
            "_text": jwt,
        }
        if not values["_room"]:
            raise InvalidToken(ConnectionStringProblem.NO_ROOM, "video.room is missing or empty")
        for slot, value in values.items():
            object.__setattr__(self, slot, value)

    @classmethod
    @raises_bare(InvalidToken)
    def parse(cls, text: str, *, limits: Limits = DEFAULT_LIMITS) -> AccessToken:
        """Read a token's claims, without verifying its signature.

        Raises InvalidToken, whose ``problem`` is NOT_TEXT, TOO_LONG, EMPTY_TOKEN, NOT_A_JWT or NO_ROOM.
        Besides what is no JWT at all, a claim of the wrong type, a key that stands twice, a time that is no finite
        number of seconds, and JSON nested deeper than ``limits.nesting`` are NOT_A_JWT.
        """
        return cls(text, limits=limits)

    @property
    def identity(self) -> str:
        """The participant's identity, exactly as written (``sub``, else ``jti``); "" if the token has none."""
        return self._identity

    @property
    def room(self) -> str:
        """The room's name, never empty (``video.room``)."""
        return self._room

    @property
    def expires_at(self) -> float | None:
        """Unix seconds from which on the token is refused, or None: never (``exp``)."""
        return self._expires_at

    @property
    def not_before(self) -> float | None:
        """Unix seconds before which the token is refused, or None (``nbf``; archipelago writes 0)."""
        return self._not_before

    @property
    def grants(self) -> Grants:
        """What the token allows (``video``)."""
        return self._grants

    @property
    def name(self) -> str:
        """The participant's display name, or ""."""
        return self._name

    @property
    def metadata(self) -> str:
        """The participant's first metadata, opaque text (often JSON), or ""."""
        return self._metadata

    @property
    def issuer(self) -> str:
        """The API key's name that the token was signed for, or "" (``iss``)."""
        return self._issuer

    @property
    def attributes(self) -> Mapping[str, str]:
        """The participant's first attributes; empty if the token has none."""
        return self._attributes

    @property
    def claims(self) -> Claims:
        """The whole payload, as it stands in the token."""
        return self._claims

    def reveal(self) -> str:
        """Return the token itself.  It is a password: give it to the server and to nothing else."""
        return self._text

    def without_signature(self) -> AccessToken:
        """The same claims under a placeholder as long as the signature: no server accepts it."""
        head, _, signature = self._text.rpartition(".")
        # A token was within its limits when it was read.
        limits = replace(DEFAULT_LIMITS, connection_string_chars=len(self._text), nesting=_ANY_NESTING)
        return AccessToken(f"{head}.{'A' * len(signature)}", limits=limits)

    def may_publish(self, source: str) -> bool:
        """Whether a track may be published from ``source``: see :meth:`Grants.may_publish`."""
        return self._grants.may_publish(source)

    def check(self, *, unix_now: float, publish: bool = True, leeway: float = 0.0) -> None:
        """Raise if the server would refuse this token, or with ``publish`` would drop our packets unseen.

        ``unix_now`` and ``leeway`` are seconds.  LiveKit's server itself forgives 60 s at both ends; the default here
        forgives nothing, because a token that close to its end is no base for a reconnect.
        Raises TokenExpired, TokenNotYetValid, PermissionMissing ("roomJoin"; with ``publish`` also "canPublishData",
        without which LiveKit accepts every packet and delivers none).
        """
        if not (math.isfinite(unix_now) and math.isfinite(leeway)):
            msg = "unix_now and leeway must be finite numbers of seconds"
            raise LocalProtocolError(msg)
        if self._expires_at is not None and unix_now - leeway >= self._expires_at:
            late = unix_now - self._expires_at
            msg = f"the access token expired {late:.1f} s ago: ask the realm for a new connection string"
            raise TokenExpired(msg)
        if self._not_before is not None and unix_now + leeway < self._not_before:
            early = self._not_before - unix_now
            msg = f"the access token is not valid for another {early:.1f} s: check this machine's clock"
            raise TokenNotYetValid(msg)
        if not self._grants.room_join:
            raise PermissionMissing("roomJoin")
        if publish and not self._grants.can_publish_data:
            raise PermissionMissing("canPublishData", "the server would accept packets and deliver none")

    def __eq__(self, other: object) -> bool:
        return self._text == other._text if isinstance(other, AccessToken) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        room, identity = _shown(self._room), _shown(self._identity)
        return f"AccessToken(room={room}, identity={identity}, expires_at={self._expires_at})"

    def __setattr__(self, name: str, value: object) -> NoReturn:
        msg = f"an AccessToken is immutable: can't set {name!r}"
        raise AttributeError(msg)

    def __delattr__(self, name: str) -> NoReturn:
        msg = f"an AccessToken is immutable: can't delete {name!r}"
        raise AttributeError(msg)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        msg = "an AccessToken is not pickled, because that would write it out: pass on reveal() and parse it there"
        raise LocalProtocolError(msg)


def _not_a_jwt(detail: str) -> InvalidToken:
    return InvalidToken(ConnectionStringProblem.NOT_A_JWT, detail)


def _jwt_text(text: object, limit: int) -> str:
    if not isinstance(text, str):
        raise InvalidToken(ConnectionStringProblem.NOT_TEXT, f"an access token is str, not {type(text).__name__}")
    if len(text) > limit:
        raise InvalidToken(ConnectionStringProblem.TOO_LONG, f"the limit is {limit} characters")
    jwt = text.strip()
    if not jwt:
        raise InvalidToken(ConnectionStringProblem.EMPTY_TOKEN)
    return jwt


def _payload(jwt: str, nesting: int) -> Claims:
    segments = jwt.split(".", _JWT_SEGMENTS)
    if len(segments) != _JWT_SEGMENTS or not all(map(_is_base64url, segments)):
        raise _not_a_jwt("it is not three base64url parts with dots between them")
    header, payload = _json_object(segments[0], nesting), _json_object(segments[1], nesting)
    if header is None:
        raise _not_a_jwt("its header is not a JSON object")
    if payload is None:
        raise _not_a_jwt("its payload is not a JSON object")
    return payload


def _is_base64url(segment: str) -> bool:
    return _SEGMENT.fullmatch(segment) is not None and len(segment) % 4 != 1


def _json_object(segment: str, nesting: int) -> Claims | None:
    """Decode a segment, or None."""
    try:
        text = urlsafe_b64decode(segment + "=" * (-len(segment) % 4)).decode()
    except ValueError:  # bad UTF-8
        return None
    document = read_json(text, nesting=nesting, pairs=_object)
    return document if isinstance(document, Claims) else None


def _object(pairs: list[tuple[str, object]]) -> Claims:
    values = {key: _frozen(value) for key, value in pairs}
    if len(values) != len(pairs):
        msg = "a key stands twice: which one counts is anybody's guess"
        raise ValueError(msg)
    return Claims(values)


def _frozen(value: object) -> object:
    if isinstance(value, list):
        return tuple(map(_frozen, cast("list[object]", value)))
    return value


def _string(claims: Claims, key: str, what: str) -> str:
    value = claims.get(key)
    if value is None:
        return ""
    if not isinstance(value, str) or SURROGATE.search(value):
        raise _not_a_jwt(f"{what} is not text")
    return value


def _seconds(claims: Claims, name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _LAST_SECOND:
        raise _not_a_jwt(f"{name} is not a time in seconds")
    return float(value)


def _mapping(claims: Claims, name: str) -> Claims:
    value = claims.get(name)
    if value is None:
        return Claims()
    if not isinstance(value, Claims):
        raise _not_a_jwt(f"{name} is not an object")
    return value


def _flag(video: Claims, name: str, *, absent: bool = False) -> bool:
    value = video.get(name)
    if value is None:
        return absent
    if not isinstance(value, bool):
        raise _not_a_jwt(f"video.{name} is not true or false")
    return value


def _sources(video: Claims) -> tuple[str, ...] | None:
    value = video.get("canPublishSources")
    if value is None:
        return None
    if not isinstance(value, tuple):
        raise _not_a_jwt("video.canPublishSources is not a list")
    items = cast("tuple[object, ...]", value)
    names = tuple(item for item in items if isinstance(item, str))
    if len(names) != len(items):
        raise _not_a_jwt("video.canPublishSources is not a list of names")
    return names or None


def _read_grants(video: Claims) -> Grants:
    can_publish = _flag(video, "canPublish", absent=True)
    return Grants(
        room_join=_flag(video, "roomJoin"),
        room_admin=_flag(video, "roomAdmin"),
        room_create=_flag(video, "roomCreate"),
        room_list=_flag(video, "roomList"),
        room_record=_flag(video, "roomRecord"),
        can_publish=can_publish,
        can_publish_data=_flag(video, "canPublishData", absent=can_publish),
        can_subscribe=_flag(video, "canSubscribe", absent=True),
        can_publish_sources=_sources(video),
        can_update_own_metadata=_flag(video, "canUpdateOwnMetadata"),
        hidden=_flag(video, "hidden"),
        recorder=_flag(video, "recorder"),
        agent=_flag(video, "agent"),
        raw=video,
    )


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN_CHARS else text[: _SHOWN_CHARS - 3] + "...")
