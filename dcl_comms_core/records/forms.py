"""Events as plain values, which JSON takes, and back: ``from_dict(as_dict(event)) == event``, but for its secrets.

::

    {"event": "chat_received", "time": 1800000005.25, "at": 5.25, "room": "island", "sender": "0x7c6...", "text": "hi",
     ...}

``event`` is the event's name, ``time`` when it was in unix seconds, where that is known; the rest are its fields.  How
their values are written is in ``records.values``; what all of it looks like, as a JSON schema, ``event_schema()`` says.
What is secret is not there: of an adapter ``***`` stands for it, of what is to be signed as many letters.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import isfinite
from typing import TYPE_CHECKING, Any, Final, cast, get_args

from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.events import PacketEvent, PeerIdentified, PeerMoved, SignatureNeeded
from dcl_comms_core.packets.events import MovementKind
from dcl_comms_core.proto import rfc4
from dcl_comms_core.readers.kinds import EVERY_KIND
from dcl_comms_core.records.values import (
    Form,
    Schema,
    class_forms,
    form_of,
    message_form,
    object_schema,
    read_fields,
    read_list,
    refuse,
)
from dcl_comms_core.tools.labels import Label

if TYPE_CHECKING:
    from dcl_comms_core.events import Event

__all__ = ["as_dict", "event_name", "event_schema", "from_dict"]

_CAPITAL: Final = re.compile(r"(?<!^)(?=[A-Z])")
_MESSAGE: Final = "message"
_MICRO: Final = 6
"""Digits of a second in ``time``."""


def event_name(event: Event | type[Event]) -> str:
    """The name of an event, or of a kind: ``ChatReceived`` is ``chat_received``."""
    kind = event if isinstance(event, type) else type(event)
    return _CAPITAL.sub("_", kind.__name__).lower()


_KINDS: Final[dict[str, Any]] = {event_name(kind): kind for kind in sorted(EVERY_KIND, key=lambda kind: kind.__name__)}


def as_dict(event: Event) -> dict[str, Any]:
    """An event as plain values: dicts, lists, texts, numbers, booleans and None.

    LocalProtocolError: it is no event.
    """
    kind = type(event)
    if kind not in EVERY_KIND:
        msg = f"as_dict takes an event, not {kind.__name__}"
        raise LocalProtocolError(msg)
    shown: dict[str, Any] = {"event": event_name(kind)}
    when = event.time
    if when is not None:
        shown["time"] = round(when.timestamp(), _MICRO)
    for name, (form, _) in _FORMS[kind].items():
        shown[name] = form.write(getattr(event, name))
    return shown


def from_dict(document: Mapping[str, Any]) -> Event:
    """The event that these values are of.  What is there beside its fields is passed over.

    InvalidRecord: they are of none.
    """
    if not isinstance(document, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
        raise refuse("event", document)
    name = document.get("event")
    kind = _KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise refuse("event's name", name)
    forms = _FORMS[kind]
    if kind is PeerMoved and document.get("kind") == MovementKind.POSITION.name.lower():
        forms = forms | {_MESSAGE: (_POSITION, False)}
    values = read_fields(document, forms)
    when = document.get("time")
    if isinstance(when, int | float) and isfinite(when) and isfinite(values["at"]):
        values["room"] = Label.of(values["room"], when - values["at"])
    return cast("Event", kind(**values))


def event_schema() -> Schema:
    """The JSON schema (2020-12) of what ``as_dict`` gives, and ``dcl-comms tail --json`` prints."""
    kinds: Schema = {}
    for name, kind in _KINDS.items():
        shape = object_schema(_FORMS[kind])
        properties = {"event": {"const": name}, "time": {"type": "number"}, **shape["properties"]}
        kinds[name] = shape | {"properties": properties, "required": ["event", *shape["required"]]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "An event of dcl-comms",
        "oneOf": [{"$ref": f"#/$defs/{name}"} for name in kinds],
        "$defs": kinds,
    }


# --- parts


def _write_movement(message: rfc4.Movement | rfc4.Position) -> Any:
    return (_POSITION if isinstance(message, rfc4.Position) else _MOVEMENT).write(message)


def _write_payload(payload: str) -> str:
    return "x" * len(payload)


def _write_early(events: tuple[Event, ...]) -> list[dict[str, Any]]:
    return [as_dict(event) for event in events]


def _read_early(value: object) -> tuple[Event, ...]:
    documents = read_list(value)
    for document in documents:
        name = cast("Mapping[str, Any]", document).get("event") if isinstance(document, Mapping) else None
        if name not in _PACKETS:
            raise refuse("packet's event", name)
    return tuple(from_dict(document) for document in documents)


_PACKETS: Final = frozenset(event_name(kind) for kind in get_args(PacketEvent))
_MOVEMENT: Final = message_form(rfc4.Movement)
_POSITION: Final = message_form(rfc4.Position)
_OWN: Final[dict[type, dict[str, Form]]] = {
    PeerMoved: {
        _MESSAGE: Form(_write_movement, _MOVEMENT.read, {"anyOf": [_MOVEMENT.schema, _POSITION.schema]}),
    },
    SignatureNeeded: {"payload": Form(_write_payload, form_of(str).read, {"type": "string"})},
    PeerIdentified: {"early": Form(_write_early, _read_early, {"type": "array", "items": {"$ref": "#"}})},
}
"""Fields that are written in a way of their own."""
_FORMS: Final[dict[Any, dict[str, tuple[Form, bool]]]] = {
    kind: class_forms(kind, _OWN.get(kind, {})) for kind in EVERY_KIND
}
