"""Which kinds of events a reader asks for."""

from __future__ import annotations

from typing import Final, cast, get_args

from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.events import Event

__all__ = ["EVERY_KIND", "kinds_of"]

EVERY_KIND: Final[frozenset[type]] = frozenset(cast("tuple[type, ...]", get_args(Event)))
"""All kinds of events that there are."""


def kinds_of(kind: object) -> frozenset[type]:
    """The kinds that this names: an event's class, several in a tuple, or a union of them such as ``Event``.

    LocalProtocolError: it names none, or something else.
    """
    given = kind
    if isinstance(kind, type) and kind in EVERY_KIND:
        return frozenset((kind,))
    parts: tuple[object, ...] = cast("tuple[object, ...]", kind) if isinstance(kind, tuple) else get_args(kind)
    if not parts:
        msg = f"{given!r:.80} is no kind of event: give a class such as ChatReceived, a tuple of them, or Event"
        raise LocalProtocolError(msg)
    return frozenset[type]().union(*map(kinds_of, parts))
