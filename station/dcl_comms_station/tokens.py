"""What an access token says: claims and times, never the token itself or its signature."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from dcl_comms_core.adapters.connection_string import LiveKitAdapter
from dcl_comms_core.adapters.targets import parse_target
from dcl_comms_core.adapters.token import AccessToken
from dcl_comms_core.errors import TokenError
from dcl_comms_station.clean import clean
from dcl_comms_station.exits import Exit, Failed
from dcl_comms_station.forms import dump, plain

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["describe_token", "duration", "plain_token", "read_token", "refusal"]

_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
_TEXT: Final = 500


def read_token(text: str) -> AccessToken:
    """The token of a connection string, or a token that stands alone.  InvalidConnectionString says what is wrong."""
    if ":" not in text:
        return AccessToken.parse(text)
    where = parse_target(text)
    if isinstance(where, str):
        raise Failed(Exit.USAGE, "a realm has no access token: give a token, or a livekit: connection string")
    if not isinstance(where, LiveKitAdapter):
        raise Failed(Exit.USAGE, f"a connection string of {where.protocol} carries no access token")
    return where.token


def refusal(token: AccessToken, unix_now: float) -> str | None:
    """Why the server would refuse this token now, or drop our packets; None: it would not."""
    try:
        token.check(unix_now=unix_now)
    except TokenError as error:
        return str(error)
    return None


def plain_token(token: AccessToken, unix_now: float) -> dict[str, object]:
    """All claims, and what follows from them now."""
    return {
        "identity": token.identity,
        "room": token.room,
        "expires_at": token.expires_at,
        "expires_in": None if token.expires_at is None else round(token.expires_at - unix_now, 3),
        "not_before": token.not_before,
        "refused_because": refusal(token, unix_now),
        "claims": plain(token.claims),
    }


def describe_token(token: AccessToken, unix_now: float) -> Iterator[str]:
    """The same, a line at a time, for people."""
    grants = token.grants
    yield f"identity    {clean(token.identity, limit=_TEXT) or '(none)'}"
    if token.name:
        yield f"name        {clean(token.name, limit=_TEXT)}"
    yield f"room        {clean(token.room, limit=_TEXT)}"
    yield f"issuer      {clean(token.issuer, limit=_TEXT) or '(none)'}"
    yield f"not before  {_moment(token.not_before, unix_now)}"
    yield f"expires     {_moment(token.expires_at, unix_now)}"
    allowed = {
        "join": grants.room_join,
        "publish tracks": grants.can_publish,
        "publish data": grants.can_publish_data,
        "subscribe": grants.can_subscribe,
        "change own metadata": grants.can_update_own_metadata,
    }
    yield f"may         {', '.join(name for name, granted in allowed.items() if granted) or 'nothing'}"
    if grants.can_publish_sources is not None:
        yield f"sources     {clean(', '.join(grants.can_publish_sources), limit=_TEXT)}"
    if token.metadata:
        yield f"metadata    {clean(token.metadata, limit=_TEXT)}"
    for key, value in token.attributes.items():
        yield f"attribute   {clean(f'{key} = {value}', limit=_TEXT)}"
    if grants.raw:
        yield f"video       {clean(dump(plain(grants.raw)), limit=_TEXT)}"
    reason = refusal(token, unix_now)
    yield f"usable now  {'yes' if reason is None else f'no: {reason}'}"


def _moment(unix: float | None, unix_now: float) -> str:
    if unix is None:
        return "never said"
    distance = duration(abs(unix - unix_now))
    relative = f"in {distance}" if unix > unix_now else f"{distance} ago"
    try:
        return f"{datetime.fromtimestamp(unix, UTC):%Y-%m-%d %H:%M:%S} UTC ({relative})"
    except (ValueError, OverflowError, OSError):  # beyond the calendar
        return f"unix second {unix:.0f} ({relative})"


def duration(seconds: float) -> str:
    """Two units are enough to know what to do."""
    left = int(seconds)
    parts: list[str] = []
    for size, unit in _UNITS:
        count, left = divmod(left, size)
        if count or (unit == "s" and not parts):
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])
