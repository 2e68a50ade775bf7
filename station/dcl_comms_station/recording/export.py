"""A recording as lines of JSON, or as a table: what came, what went, and what it meant."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any, Final

from dcl_comms_core.errors import DecodeError
from dcl_comms_core.events import PeerMoved
from dcl_comms_core.readers.kinds import EVERY_KIND
from dcl_comms_core.records.filters import TapPacket
from dcl_comms_station.forms import dump, plain_event, plain_packet
from dcl_comms_station.recording.observed import Lost, Received, Sent, Stepped
from dcl_comms_station.recording.pseudonyms import Pseudonyms
from dcl_comms_station.recording.sieve import Sieve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dcl_comms_station.recording.observed import Observation
    from dcl_comms_station.recording.reader import RecordingReader

__all__ = ["COLUMNS", "csv_lines", "ndjson_lines", "packet_of", "plain_rows"]

COLUMNS: Final = (
    "time",
    "type",
    "event",
    "dir",
    "room",
    "sender",
    "to",
    "kind",
    "size",
    "reliable",
    "private",
    "topic",
    "verdict",
    "x",
    "y",
    "z",
    "yaw",
    "text",
)
"""Of a table.  ``type``: ``packet``, ``event`` or ``gap``."""
_MICRO: Final = 6


def packet_of(seen: Received | Sent) -> TapPacket:
    """A packet as filters take it."""
    if isinstance(seen, Sent):
        return TapPacket.sent(seen.at, seen.room, seen.command)
    return TapPacket(
        at=seen.at,
        room=seen.room,
        sender=seen.sender,
        data=seen.data,
        reliable=seen.reliable,
        topic=seen.topic,
        private=seen.private,
        verdict=seen.verdict,
    )


def plain_rows(
    recorded: RecordingReader, *, shown: str | None = None, redact: bool = False
) -> Iterator[dict[str, Any]]:
    """Packets, events and gaps as plain values, in order.

    ``shown``: a filter's text.  ``redact``: with people and texts replaced.  InvalidFilter; InvalidRecording: the file
    is damaged there.
    """
    sieve = None if shown is None else Sieve(shown, now=lambda: recorded.end)
    names = Pseudonyms() if redact else None
    for seen in recorded.observations():
        row = _row(seen, sieve)
        if row is not None:
            yield row if names is None else names.of(row)


def _row(seen: Observation, sieve: Sieve | None) -> dict[str, Any] | None:
    time = round(seen.time, _MICRO)
    if isinstance(seen, Received | Sent):
        packet = packet_of(seen)
        return None if sieve is not None and not sieve.keep(packet) else _packet(time, packet)
    if isinstance(seen, Stepped) and type(seen.item) in EVERY_KIND:
        event: Any = seen.item
        return None if sieve is not None and not sieve.keep(event) else {"time": time, "type": "event", **_event(event)}
    if isinstance(seen, Lost):
        return {"time": time, "type": "gap", "lost": seen.count}
    return None


def _event(event: Any) -> dict[str, Any]:
    shown = plain_event(event)
    shown.pop("time", None)
    return shown


def _packet(time: float, packet: TapPacket) -> dict[str, Any]:
    row: dict[str, Any] = {
        "time": time,
        "type": "packet",
        "dir": "out" if packet.is_ours else "in",
        "at": packet.at,
        "room": str(packet.room),
        "sender": None if packet.sender is None else packet.sender.text,
        "to": list(packet.to),
        "size": len(packet.data),
        "reliable": packet.reliable,
        "private": packet.private,
        "topic": packet.topic,
        "verdict": packet.verdict,
    }
    try:
        row |= plain_packet(packet.data)
    except DecodeError as error:
        row |= {"kind": None, "error": {"offset": error.offset}}
    event = packet.event
    if isinstance(event, PeerMoved):
        row |= {"position": list(event.position), "yaw": event.yaw}
    return row


def csv_lines(rows: Iterator[dict[str, Any]]) -> Iterator[str]:
    """The same as lines of a table, its head first."""
    yield _line(dict(zip(COLUMNS, COLUMNS, strict=True)))
    for row in rows:
        x, y, z = row.get("position") or ("", "", "")
        fields: dict[str, Any] = row.get("fields") or {}
        text = row.get("text", fields.get("message", ""))
        to = " ".join(row.get("to", ()))
        yield _line({**row, "x": x, "y": y, "z": z, "to": to, "text": text})


def _line(row: dict[str, Any]) -> str:
    out = io.StringIO()
    values = (_cell(row.get(name)) for name in COLUMNS)
    csv.writer(out, lineterminator="").writerow(values)
    return out.getvalue()


def _cell(value: Any) -> Any:
    if not isinstance(value, str):
        return "" if value is None else value
    # A line of the table is a line of the file; and no spreadsheet takes a peer's words for a formula.
    line = value.replace("\r", " ").replace("\n", " ")
    return f"'{line}" if line[:1] in {"=", "+", "-", "@", "\t"} else line


def ndjson_lines(rows: Iterator[dict[str, Any]]) -> Iterator[str]:
    """The same as lines of JSON, ASCII only."""
    return map(dump, rows)
