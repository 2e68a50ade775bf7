"""Inputs, commands, events and acknowledgements as JSON, and back.

Inputs and commands as a journal writes them, with placeholders for what may be secret.  Of frames, datagrams and
bodies, which a tap sees blanked, only the length is there.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, cast

from dcl_comms_core import commands, inputs
from dcl_comms_core.commands import Fetch, SendDatagram, SendFrame
from dcl_comms_core.errors import CommsError
from dcl_comms_core.inputs import DatagramReceived, Fetched, FrameReceived
from dcl_comms_core.journal.values import Placeholders, read_value
from dcl_comms_core.records.forms import as_dict, from_dict
from dcl_comms_station.recording.observed import Acknowledged, Keyframe, Lost, Noted, Stepped
from dcl_comms_station.recording.packets import read_document
from dcl_comms_station.recording.problems import InvalidRecording

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from dcl_comms_core.events import Event
    from dcl_comms_station.recording.times import Times

    Label = Callable[[str], str]

__all__ = [
    "read_acknowledged",
    "read_event",
    "read_keyframe",
    "read_lost",
    "read_noted",
    "read_step",
    "write_acknowledged",
    "write_event",
    "write_keyframe",
    "write_lost",
    "write_step",
]

_MOST_BLANK: Final = 1 << 26
"""Bytes that a blanked body may be said to have."""
_STEPS: Final = tuple(
    kind for module in (inputs, commands) for name in module.__all__ if isinstance(kind := getattr(module, name), type)
)


def _dump(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def write_step(at: float, item: Any) -> bytes:
    """An input or a command."""
    match item:
        case FrameReceived():
            (link, generation), text = item.link, "true" if item.text else "false"
            named = f'"FrameReceived","text":{text}'
        case SendFrame():
            (link, generation), named = item.link, f'"SendFrame","token":{item.token}'
        case DatagramReceived():
            (link, generation), named = item.link, '"DatagramReceived"'
        case SendDatagram():
            (link, generation), named = item.link, '"SendDatagram"'
        case Fetch() | Fetched():
            shown = replace(item, body=b"")
            document = {"at": at, "step": Placeholders().write(shown), "blank": {"body": len(item.body)}}
            return _dump(document)
        case _:
            return _dump({"at": at, "step": Placeholders().write(item)})
    return (
        f'{{"at":{json.dumps(at)},"step":{{"$":{named},"link":{{"$":"LinkRef","link":{link},"generation":{generation}}}}},'
        f'"blank":{{"data":{len(item.data)}}}}}'
    ).encode()


def read_step(data: bytes, log_time: int, times: Times, _label: Label) -> Stepped:
    """The same, read.  InvalidRecording: it is none."""
    document = read_document(data, str)
    blank = {name: bytes(_size(size)) for name, size in _mapping(document.get("blank", {})).items()}
    step = _mapping(document.get("step"))
    try:
        known = read_value({**step, **{name: {"$bytes": ""} for name in blank}})
        item: Any = known if isinstance(known, _STEPS) else None
        item = replace(item, **blank)
    except (CommsError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
        raise _no("input and no command") from None
    return Stepped(time=times.unix(log_time), at=_at(document, log_time, times), item=item)


def write_event(at: float, log_time: int, times: Times, event: Event) -> bytes:
    """An event, told at ``at``."""
    document = as_dict(event)
    if times.at(log_time) != at:
        document["told"] = at
    return _dump(document)


def read_event(data: bytes, log_time: int, times: Times, label: Label) -> Stepped:
    """The same, read.  InvalidRecording, InvalidRecord: it is none."""
    document = read_document(data, label)
    told = document.get("told")
    at = told if isinstance(told, float) else times.at(log_time)
    return Stepped(time=times.unix(log_time), at=at, item=from_dict(document))


def write_acknowledged(at: float, room: str, tokens: Iterable[int], *, failed: bool) -> bytes:
    """An acknowledgement."""
    return _dump({"at": at, "room": room, "tokens": list(tokens), "failed": failed})


def read_acknowledged(data: bytes, log_time: int, times: Times, label: Label) -> Acknowledged:
    """The same, read."""
    document = read_document(data, label)
    room, tokens = document.get("room"), document.get("tokens")
    if not isinstance(room, str) or not isinstance(tokens, list):
        raise _no("acknowledgement")
    return Acknowledged(
        time=times.unix(log_time),
        at=_at(document, log_time, times),
        room=room,
        tokens=tuple(map(_whole, cast("list[object]", tokens))),
        failed=document.get("failed") is True,
    )


def write_keyframe(at: float, events: Iterable[Event]) -> bytes:
    """How things stand."""
    return _dump({"at": at, "events": [as_dict(event) for event in events]})


def read_keyframe(data: bytes, log_time: int, times: Times, label: Label) -> Keyframe:
    """The same, read."""
    document = read_document(data, label)
    found = document.get("events")
    events: list[Any] = [*found] if isinstance(found, list) else []
    return Keyframe(
        time=times.unix(log_time),
        at=_at(document, log_time, times),
        events=tuple(from_dict(_labelled(_mapping(event), label)) for event in events),
    )


def write_lost(since: float, until: float, count: int) -> bytes:
    """That something is missing."""
    return _dump({"at": until, "since": since, "lost": count})


def read_lost(data: bytes, log_time: int, times: Times, label: Label) -> Lost:
    """The same, read."""
    document = read_document(data, label)
    at, since = _at(document, log_time, times), document.get("since")
    return Lost(
        time=times.unix(log_time),
        at=at,
        count=_whole(document.get("lost")),
        since=since if isinstance(since, float) else at,
    )


def read_noted(data: bytes, log_time: int, times: Times, label: Label) -> Noted:
    """Figures that were noted."""
    document = read_document(data, label)
    return Noted(time=times.unix(log_time), at=_at(document, log_time, times), values=document)


# --- parts


def _no(what: str) -> InvalidRecording:
    return InvalidRecording(f"what is no {what}")


def _mapping(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _no("JSON object")
    return cast("Mapping[str, Any]", value)


def _labelled(event: Mapping[str, Any], label: Label) -> Mapping[str, Any]:
    room = event.get("room")
    return {**event, "room": label(room), "time": None} if isinstance(room, str) else event


def _whole(value: object) -> int:
    if not isinstance(value, int):
        raise _no("whole number")
    return value


def _size(value: object) -> int:
    size = _whole(value)
    if not 0 <= size <= _MOST_BLANK:
        raise _no("length")
    return size


def _at(document: Mapping[str, Any], log_time: int, times: Times) -> float:
    at = document.get("at")
    return float(at) if isinstance(at, int | float) and not isinstance(at, bool) else times.at(log_time)
