"""Realms: what ``/about`` says of a realm's comms, and the way from there to a transport.

Explorers read ``/about`` in five ways.  This takes ``comms.adapter`` if it can be read, else ``comms.fixedAdapter``,
with wrappers peeled from both; what is missing, unknown or of an odd type counts as not there.  A ``signed-login:``
adapter is a place to ask for another one, which :class:`Resolution` follows, a bounded number of times.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from dcl_comms_core.adapters.answers import Refusal, RefusalReason, refusal
from dcl_comms_core.adapters.connection_string import Adapter, ArchipelagoAdapter, parse_connection_string
from dcl_comms_core.adapters.pulse import PulseAddress
from dcl_comms_core.adapters.wording import NOTHING_SAID, read_words
from dcl_comms_core.errors import InvalidConnectionString, InvalidRealm, RealmProblem
from dcl_comms_core.limits import DEFAULT_LIMITS, Limits
from dcl_comms_core.tools.json_text import json_object
from dcl_comms_core.tools.urls import http_url

if TYPE_CHECKING:
    from typing import TypeAlias

__all__ = ["Realm", "parse_about", "read_about"]

_PROTOCOL = "v3"
_Object: TypeAlias = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Realm:
    """What a realm says of itself.  Everything but the way in is news, and decides nothing."""

    url: str | None = None
    """Where the realm is, as given to :func:`parse_about`."""
    adapter: Adapter | None = None
    """``comms.adapter``, parsed; None if there is none that can be read."""
    fixed_adapter: Adapter | None = None
    """``comms.fixedAdapter``, likewise."""
    protocol: str | None = None
    """``comms.protocol``; None if it is not said."""
    healthy: bool | None = None
    """False if the realm or its comms say that they are not; None if neither says anything."""
    accepting_users: bool | None = None
    users_count: int | None = None
    name: str | None = None
    """``configurations.realmName``."""
    lambdas_url: str | None = None
    """``lambdas.publicUrl``: where profiles are."""
    pulse: PulseAddress | None = None
    """``comms.pulse``: where the realm's own Pulse is, parsed; None if there is none that can be read."""
    pulse_problem: str = ""
    """What is wrong with it; "" if nothing is."""
    problem: str = ""
    """What is wrong with the first adapter that can't be read; "" if nothing is."""

    def choose(self) -> Adapter:
        """Return the way in: ``adapter``, else ``fixed_adapter``, else a legacy catalyst's Archipelago below ``url``.

        Raises InvalidRealm: comms of another protocol, adapters that can't be read, or none and no ``url``.
        """
        if self.protocol not in {None, _PROTOCOL}:
            raise InvalidRealm(RealmProblem.OTHER_PROTOCOL)
        chosen = self.adapter or self.fixed_adapter
        if chosen is not None:
            return chosen
        if self.problem:
            raise InvalidRealm(RealmProblem.BAD_ADAPTER, self.problem)
        if self.url is None:
            raise InvalidRealm(RealmProblem.NO_ADAPTER, "parse_about(url=...) would say where to look")
        base = http_url(self.url).partition("?")[0].rstrip("/")
        return ArchipelagoAdapter(f"{base}/archipelago/ws")


def parse_about(document: str | bytes | _Object, *, url: str | None = None, limits: Limits = DEFAULT_LIMITS) -> Realm:
    """Read a realm's ``/about``: the body, or the object that was read from it.

    ``url`` is the realm's own http(s) URL, which legacy catalysts need.  Raises InvalidRealm: no JSON object, or
    longer than ``limits.about_chars``; InvalidConnectionString: ``url`` is none.
    """
    base = None if url is None else http_url(url)
    about: _Object | None
    if isinstance(document, str | bytes):
        if len(document) > limits.about_chars:
            raise InvalidRealm(RealmProblem.TOO_LONG, f"the limit is {limits.about_chars} characters")
        about = json_object(document, limits.about_chars, limits.nesting)
        if about is None:
            raise InvalidRealm(RealmProblem.NOT_JSON)
    elif isinstance(document, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
        about = document
    else:
        raise InvalidRealm(RealmProblem.NOT_TEXT, f"it is {type(document).__name__}, not str, bytes or a mapping")
    comms = _object(about, "comms")
    adapter, problem = _adapter(comms, "adapter", limits)
    fixed_adapter, fixed_problem = _adapter(comms, "fixedAdapter", limits)
    pulse, pulse_problem = _pulse(comms)
    return Realm(
        url=base,
        adapter=adapter,
        fixed_adapter=fixed_adapter,
        protocol=_text(comms, "protocol"),
        healthy=_all_known(_flag(about, "healthy"), _flag(comms, "healthy")),
        accepting_users=_flag(about, "acceptingUsers"),
        users_count=_count(comms, "usersCount"),
        name=_text(_object(about, "configurations"), "realmName"),
        lambdas_url=_text(_object(about, "lambdas"), "publicUrl"),
        pulse=pulse,
        pulse_problem=pulse_problem,
        problem=problem or fixed_problem,
    )


def read_about(
    status: int,
    headers: Mapping[str, str],
    body: str | bytes,
    *,
    url: str,
    unix_now: float,
    limits: Limits = DEFAULT_LIMITS,
) -> Realm | Refusal:
    """Read a server's answer to ``GET <realm>/about``.  Only a bad ``url`` raises (InvalidConnectionString)."""
    http_url(url)
    if 200 <= status < 300:  # noqa: PLR2004  # success
        try:
            return parse_about(body, url=url, limits=limits)
        except InvalidRealm as error:
            words = read_words(body, limits.answer_chars) if error.problem is RealmProblem.NOT_JSON else NOTHING_SAID
            detail = ": ".join(filter(None, (str(error), words.shown)))
            return Refusal(reason=RefusalReason.MALFORMED, status=status, detail=detail)
    document = json_object(body, limits.answer_chars, limits.nesting)
    return refusal(status, headers, body, document, unix_now=unix_now, limits=limits, signed=False)


def _object(values: _Object, key: str) -> _Object:
    value = values.get(key)
    return cast("_Object", value) if isinstance(value, Mapping) else {}


def _text(values: _Object, key: str) -> str | None:
    value = values.get(key)
    return value if isinstance(value, str) else None


def _flag(values: _Object, key: str) -> bool | None:
    value = values.get(key)
    return value if isinstance(value, bool) else None


def _count(values: _Object, key: str) -> int | None:
    value = values.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _all_known(*flags: bool | None) -> bool | None:
    known = [flag for flag in flags if flag is not None]
    return all(known) if known else None


def _adapter(comms: _Object, key: str, limits: Limits) -> tuple[Adapter | None, str]:
    text = _text(comms, key)
    if text is None or not text.strip():
        return None, ""
    try:
        return parse_connection_string(text, limits=limits), ""
    except InvalidConnectionString as error:
        return None, str(error)


def _pulse(comms: _Object) -> tuple[PulseAddress | None, str]:
    text = _text(comms, "pulse")
    if text is None or not text.strip():
        return None, ""
    try:
        return PulseAddress.parse(text), ""
    except InvalidConnectionString as error:
        return None, str(error)
