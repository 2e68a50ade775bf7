"""Make docs/conformance.md: every field of every message, in seven situations, on every engine of ours and protobuf.

``conformance.py`` writes the page; ``conformance.py --check`` exits with 1 if it would write another one.  A cell says
what all engines agree on; where they do not, it says DIFFERS and the command ends with 1.  Writing needs the native
codec; a check without it compares the other two, and says so.
"""

from __future__ import annotations

import argparse
import difflib
import platform
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from dcl_comms_core.codec import decode_message, encode, engines, native_problem
from dcl_comms_core.errors import DecodeError
from dcl_comms_core.proto._gen.tables import TABLES
from fuzz.check import Disagreement, check
from fuzz.generate import varint

if TYPE_CHECKING:
    from dcl_comms_core.proto import Field, WireMessage

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "conformance.md"
FIELDS = {table.cls: table.fields for table in TABLES}
WIRE = {"double": 1, "float": 5, "string": 2, "bytes": 2, "message": 2, "map": 2}
BITS = {"bool": 1, "int32": 32, "sint32": 32, "enum": 32, "int64": 64, "uint32": 32, "uint64": 64}
SIGNED = ("int32", "int64", "enum")
UNKNOWN = varint(2000 << 3) + b"\x07"
LONG = 1000
SITUATIONS = ("minimum", "maximum", "absent", "repeated", "unknown", "wrong wire type", "truncated")

HEAD = """# Conformance of the codec

Made by `python .ci/tools/conformance.py`; `--check` finds out whether it still holds.  Each cell is one input, or
several, given to three engines: the native codec, the pure-Python codec, and protobuf's own runtime (upb).  What it
says is what all three do: the same acceptance, the same values and presence, and the same bytes when written again; the
two of ours also give the same offset in an error.  **Differences: {differences}.**

| situation | what is sent | what a cell says |
|---|---|---|
| minimum | the field with its smallest value, written out even where it is the default | the value read |
| maximum | the largest value; for a text 1000 characters of four bytes; for a message, all of its fields at their maximum | the value read |
| absent | a message without the field | the value read; *unset* where the field has presence |
| repeated | the field twice, with different values | which one counts |
| unknown | the field, and one with a number that the message does not have | whether that is kept and written again |
| wrong wire type | the number of the field with each other wire type, groups included | how many of these are kept as unknown fields |
| truncated | the field cut at every byte inside of it | how many of the cuts are refused |
"""


class Differs(Exception):
    """The engines do not agree on a cell."""


def tagged(field: Field, body: bytes) -> bytes:
    wire = WIRE.get(field.type, 0)
    return varint(field.number << 3 | wire) + (varint(len(body)) if wire == 2 else b"") + body  # noqa: PLR2004  # a wire type


def body(field: Field, kind: str, *, largest: bool) -> bytes:  # noqa: PLR0911  # one for each type
    """A value without its tag and size."""
    if kind == "map":
        if not largest:
            return b""
        key = b"\x08\xff\xff\xff\xff\x0f" if field.key == "uint32" else b"\x0a\x03max"
        value = body(field, str(field.value), largest=True)
        return key + b"\x12" + varint(len(value)) + value
    if kind == "message":
        return whole(cast("type[WireMessage]", field.message)) if largest else b""
    if kind == "string":
        return "\U0001f600".encode() * LONG if largest else b""
    if kind == "bytes":
        return bytes(range(250)) * 4 if largest else b""
    if kind == "float":
        return struct.pack("<f", 3.4028234663852886e38 if largest else -3.4028234663852886e38)
    if kind == "double":
        return struct.pack("<d", 1.7976931348623157e308 if largest else -1.7976931348623157e308)
    bits = BITS[kind]
    if kind == "sint32":
        return varint((1 << bits) - (2 if largest else 1))
    if kind in SIGNED:
        return varint((1 << bits - 1) - 1 if largest else (1 << 64) - (1 << bits - 1))
    return varint((1 << bits) - 1 if largest else 0)


def whole(cls: type[WireMessage]) -> bytes:
    """All fields at their maximum; of a oneof, the last member."""
    fields = FIELDS[cls]
    members = [field for field in fields if field.presence == "oneof"]
    return b"".join(
        tagged(field, body(field, field.type, largest=True)) for field in fields if field not in members[:-1]
    )


def agreed(cls: type[WireMessage], data: bytes) -> WireMessage | None:
    """What every engine reads; None where all refuse.  Raises Differs."""
    try:
        outcome = check(cls, data)
    except Disagreement as problem:
        raise Differs(f"{cls.__name__} {data.hex()[:80]}: {problem}") from None
    if outcome.excused is not None:
        raise Differs(f"{cls.__name__} {data.hex()[:80]}: {outcome.excused}")
    try:
        return decode_message(cls, data)
    except DecodeError:
        return None


def shown(value: Any) -> str:  # noqa: PLR0911  # one for each type
    """A value in a few characters."""
    if value is None:
        return "unset"
    if isinstance(value, str):
        return f"{len(value)} characters"
    if isinstance(value, bytes | list | dict):
        unit = {bytes: "bytes", list: "items", dict: "pairs"}[type(value)]
        return f"{len(value)} {unit}".replace("1 items", "1 item").replace("1 pairs", "1 pair")
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float):
        return f"{value:.8g}"
    return f"message, {len(encode(value))} bytes"


def second(field: Field) -> bytes:
    """Another value than the maximum."""
    if field.type == "message":
        inside = FIELDS[cast("type[WireMessage]", field.message)]
        return tagged(inside[0], body(inside[0], inside[0].type, largest=False)) if inside else b""
    if field.type == "map":
        return b"\x08\x01\x12\x00" if field.key == "uint32" else b"\x0a\x01b\x12\x00"
    return body(field, field.type, largest=False)


def repeated(cls: type[WireMessage], field: Field) -> str:
    first, last = tagged(field, body(field, field.type, largest=True)), tagged(field, second(field))
    both, alone = agreed(cls, first + last), agreed(cls, last)
    if both is None or alone is None:
        return "refused"
    found, only = getattr(both, field.name), getattr(alone, field.name)
    if field.presence in {"repeated", "map"}:
        return f"{'all' if len(found) == 2 else 'not all'} kept"  # noqa: PLR2004  # both
    if field.type == "message":
        inner = cast("type[WireMessage]", field.message)
        return "merged" if found == decode_message(inner, whole(inner) + second(field)) else "not merged"
    return "the last" if found == only else "not the last"


def wrong(cls: type[WireMessage], field: Field) -> str:
    bodies = {0: b"\x01", 1: bytes(8), 2: b"\x01x", 3: varint(field.number << 3 | 4), 5: bytes(4)}
    del bodies[WIRE.get(field.type, 0)]
    kept = 0
    for wire, rest in bodies.items():
        data = varint(field.number << 3 | wire) + rest
        found = agreed(cls, data)
        kept += found is not None and getattr(found, field.name) == getattr(cls(), field.name) and encode(found) == data
    return f"{kept} of {len(bodies)} kept"


def truncated(cls: type[WireMessage], field: Field) -> str:
    data = tagged(field, body(field, field.type, largest=True))
    cuts = range(1, len(data)) if len(data) < LONG else [*range(1, 20), *range(20, len(data), 131), len(data) - 1]
    refused = sum(agreed(cls, data[:cut]) is None for cut in cuts)
    return f"{refused} of {len(cuts)} refused"


def cell(cls: type[WireMessage], field: Field, situation: str) -> str:
    if situation == "repeated":
        return repeated(cls, field)
    if situation == "wrong wire type":
        return wrong(cls, field)
    if situation == "truncated":
        return truncated(cls, field)
    data = b"" if situation == "absent" else tagged(field, body(field, field.type, largest=situation != "minimum"))
    if situation == "unknown":
        found = agreed(cls, UNKNOWN + data + UNKNOWN)
        return (
            "kept" if found is not None and encode(found) == encode(decode_message(cls, data)) + UNKNOWN * 2 else "lost"
        )
    found = agreed(cls, data)
    return "refused" if found is None else shown(getattr(found, field.name))


def page() -> tuple[str, list[str]]:
    """The text, and the differences."""
    differences: list[str] = []
    parts: list[str] = []
    count = 0
    for table in TABLES:
        if not table.fields:
            continue
        parts.append(
            f"\n## {table.full_name}\n\n| field | {' | '.join(SITUATIONS)} |\n|---|{'---|' * len(SITUATIONS)}\n"
        )
        for field in table.fields:
            count += 1
            cells: list[str] = []
            for situation in SITUATIONS:
                try:
                    cells.append(cell(table.cls, field, situation))
                except Differs as problem:
                    differences.append(str(problem))
                    cells.append("DIFFERS")
            kind = field.type if field.type != "map" else f"map of {field.key} to {field.value}"
            kind += {"repeated": ", repeated", "explicit": ", optional", "oneof": ", oneof"}.get(field.presence, "")
            parts.append(f"| {field.number} {field.name}: {kind} | {' | '.join(cells)} |\n")
    head = HEAD.replace("{differences}", f"{len(differences)} in {count} fields of {len(TABLES)} messages")
    return head + "".join(parts), differences


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the page is out of date")
    arguments = parser.parse_args()
    if "native" not in engines():
        print(f"the native codec is not here ({native_problem()}), Python {platform.python_version()}", file=sys.stderr)
        if not arguments.check:
            return 1
        print("comparing the pure-Python codec and protobuf only", file=sys.stderr)
    text, differences = page()
    print("\n".join(differences) or f"no differences between {', '.join(engines())} and protobuf")
    if not arguments.check:
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(text, encoding="utf-8")
        return 1 if differences else 0
    old = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    lines = list(difflib.unified_diff(old.splitlines(), text.splitlines(), "in the tree", "made", lineterm=""))
    print("\n".join(lines[:60]) or f"{PAGE.relative_to(ROOT)} is up to date")
    return 1 if lines or differences else 0


if __name__ == "__main__":
    sys.exit(main())
