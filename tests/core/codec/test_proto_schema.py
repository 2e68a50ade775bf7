"""The generated tables say what the wire's facts (tests/vectors/messages.json) say, and the files are up to date."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import betterproto2
import pytest

from dcl_comms_core.proto import WireMessage, common, livekit, pulse, rfc4, rfc5, v3
from dcl_comms_core.proto._gen.tables import TABLES

ROOT = Path(__file__).resolve().parents[3]
FACTS: dict[str, Any] = json.loads((ROOT / "tests/vectors/messages.json").read_text(encoding="utf-8"))
PACKAGES = [name for name in FACTS if not name.startswith("_")]


def table_facts(package: str) -> dict[str, list[dict[str, object]]]:
    """Our tables in the words of messages.json."""
    names = {table.cls: table.full_name for table in TABLES}
    out: dict[str, list[dict[str, object]]] = {}
    for table in TABLES:
        if table.full_name.rpartition(".")[0] != package:
            continue
        rows: list[dict[str, object]] = []
        for field in table.fields:
            row: dict[str, object] = {"name": field.name, "number": field.number, "type": field.type}
            if field.type == "map":
                row |= {"key": field.key, "value": names[field.message] if field.message else field.value}
            elif field.message:
                row["type_name"] = names[field.message]
            elif field.enum:
                row["type_name"] = field.enum.__name__
            if field.presence == "repeated":
                row["label"] = "repeated"
            if field.group:
                row["oneof"] = field.group
            if field.presence == "explicit" and field.type != "message":
                row["presence"] = "explicit"
            rows.append(row)
        out[table.full_name.rpartition(".")[2]] = rows
    return out


@pytest.mark.parametrize("package", PACKAGES)
def test_tables_agree_with_the_facts(package: str) -> None:
    expected: dict[str, list[dict[str, object]]] = {}
    for name, message in FACTS[package]["messages"].items():
        rows = [dict(field) for field in message["fields"]]
        for row in rows:
            if row["type"] == "enum":
                row["type_name"] = str(row["type_name"]).rpartition(".")[2]
        expected[name] = sorted(rows, key=lambda row: row["number"])
    assert table_facts(package) == expected


@pytest.mark.parametrize(
    ("enum", "values"),
    [
        (rfc4.GlideState, FACTS["decentraland.kernel.comms.rfc4"]["messages"]["Movement"]["enums"]["GlideState"]),
        (rfc4.VoiceCodec, FACTS["decentraland.kernel.comms.rfc4"]["messages"]["Voice"]["enums"]["VoiceCodec"]),
        *((getattr(pulse, name), values) for name, values in FACTS["decentraland.pulse"]["enums"].items()),
        (v3.KickedReason, FACTS["decentraland.kernel.comms.v3"]["enums"]["KickedReason"]),
    ],
)
def test_enums_agree_with_the_facts(enum: type[betterproto2.Enum], values: dict[str, int]) -> None:
    assert {member.name: member.value for member in enum} == values


def test_every_message_is_in_the_tables() -> None:
    exported = {
        value
        for module in (common, livekit, pulse, rfc4, rfc5, v3)
        for name in module.__all__
        if isinstance(value := getattr(module, name), type) and issubclass(value, WireMessage)
    }
    assert exported == {table.cls for table in TABLES}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.cls.__name__)
def test_tables_agree_with_betterproto2s_own_metadata(table: Any) -> None:
    meta = {f.name: f.metadata["betterproto"] for f in dataclasses.fields(table.cls)}
    assert {f.name: (f.number, f.type) for f in table.fields} == {n: (m.number, m.proto_type) for n, m in meta.items()}
    assert {f.name for f in table.fields if f.group} == {n for n, m in meta.items() if m.group}


def test_generated_files_are_up_to_date() -> None:
    if find_spec("betterproto2_compiler") is None:
        pytest.skip("needs betterproto2-compiler (dependency group `test`)")
    check = subprocess.run(
        [sys.executable, str(ROOT / ".ci/tools/gen_proto.py"), "--check"],
        capture_output=True, text=True, check=False, timeout=50,
    )  # fmt: skip
    assert check.returncode == 0, check.stdout + check.stderr


NESTED = """
message Titled {
  map<string, string> titles = 1;
}

message Shelf {
  Titled titled = 1;
}

message Room {
  Shelf shelf = 1;
  sint32 door = 2;
}

message Wish {
  oneof wish {
    Room room = 1;
    Titled titled = 2;
  }
}

message Asked {
  Wish wish = 1;
  uint32 number = 2;
}
"""
READ = """
from dcl_comms_core.codec._gen.decoders import CHOICES, DECODERS
from dcl_comms_core.codec.python import decode_message, encode
from dcl_comms_core.proto._gen import common

titled = common.Titled(titles={"a": "b"})
shelf = common.Shelf(titled=titled)
room = common.Room(shelf=shelf, door=-2)
for value in (titled, shelf, room, common.Wish(room=room), common.Wish(titled=titled),
              common.Asked(wish=common.Wish(room=room), number=7), common.Asked(wish=common.Wish(), number=7)):
    assert decode_message(type(value), encode(value)) == value, value
print(*sorted(kind.__name__ for kind in DECODERS if kind.__module__ == common.__name__))
"""


def test_a_message_is_read_whose_parts_have_maps(tmp_path: Path) -> None:
    """The generator, of other messages: what has a map somewhere inside is left to the strict decoder."""
    if find_spec("betterproto2_compiler") is None:
        pytest.skip("needs betterproto2-compiler (dependency group `test`)")
    unneeded = shutil.ignore_patterns("__pycache__", "*.so")
    for folder in ("dcl_comms_core", ".ci/tools"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=unneeded)
    with (tmp_path / "dcl_comms_core/proto/decentraland/common/vectors.proto").open("a", encoding="utf-8") as file:
        file.write(NESTED)
    for command in ([".ci/tools/gen_proto.py"], ["-c", READ]):
        done = subprocess.run(
            [sys.executable, *command], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=50,
            env=os.environ | {"PYTHONPATH": str(tmp_path), "DCL_COMMS_CODEC": "python"},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.split() == ["Asked", "Position"]
