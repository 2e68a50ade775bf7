"""Compare our .proto files with the published npm package @dcl/protocol, field by field.

What a field's options say of its numbers (``quantized``, ``quantized_power``) is compared too; of Pulse, every file that
either side has.  Fetches the version that tried.toml names, with ``npm pack`` into a temporary folder, and looks whether it has the hash of
protocol_differences.toml; compiles both sides with protoc, and prints every difference.  Allowed ones stand in that file,
each with a reason; exit 1 on one that is not listed, and on a listed one that no longer exists.  ``--newest`` takes what
npm has now, as ``make watch`` does when that is newer; ``--package FILE`` a tarball that is already there.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

ROOT = Path(__file__).resolve().parents[2]
OURS = ROOT / "dcl_comms_core" / "proto"
ALLOWED = Path(__file__).with_name("protocol_differences.toml")
TRIED = Path(__file__).with_name("tried.toml")
PUBLISHED = "@dcl/protocol"
SOURCES = (
    "decentraland/kernel/comms/rfc4/comms.proto",
    "decentraland/kernel/comms/rfc5/ws_comms.proto",
    "decentraland/kernel/comms/v3/archipelago.proto",
)
WHOLE = "decentraland/pulse"
"""A folder whose files are all read, whatever their names."""
PACKAGES = (
    "decentraland.kernel.comms.",
    "decentraland.common.Position",
    "decentraland.common.Quantized",
    "decentraland.common.quantized",
    "decentraland.pulse.",
)
TYPES = descriptor_pb2.FieldDescriptorProto.Type
Facts = dict[str, str]


def facts(proto: Path, scratch: Path) -> Facts:
    """Everything that matters on the wire, as name -> text: fields with their options, reserved numbers, enum values, messages.

    And which options there are.
    """
    sources = [*SOURCES, *(str(path.relative_to(proto)) for path in sorted((proto / WHOLE).glob("*.proto")))]
    files = compiled(proto, sources, scratch)
    found = facts_of(files, Options(files))
    return {name: text for name, text in found.items() if name.startswith(PACKAGES)}


def compiled(proto: Path, sources: list[str], scratch: Path) -> Any:
    """The descriptors of .proto files, and of those that they import."""
    out = scratch / "set.pb"
    command = [
        sys.executable,
        "-m",
        "grpc_tools.protoc",
        f"-I{proto}",
        "--include_imports",
        f"--descriptor_set_out={out}",
    ]
    subprocess.run([*command, *sources], check=True)
    return descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes()).file


def facts_of(files: Any, options: Options) -> Facts:
    """The same of descriptors, whatever their packages."""
    found: Facts = {}
    for file in files:
        for field in file.extension:
            found[f"{file.package}.{field.name}"] = f"option {_kind(field)} = {field.number}"
        for message in file.message_type:
            _message(f"{file.package}.{message.name}", message, found, options)
        for enum in file.enum_type:
            _enum(f"{file.package}.{enum.name}", enum, found)
    return found


class Options:
    """What is written in brackets behind a field, by the options that these files themselves define."""

    def __init__(self, files: Any) -> None:
        pool: Any = descriptor_pool.DescriptorPool()
        for file in files:  # protoc writes imported files first
            pool.Add(file)
        name = "google.protobuf.FieldOptions"
        # Who defines options imports this file; without any there is nothing to read.
        known = any(file.name == "google/protobuf/descriptor.proto" for file in files)
        self.cls: Any = message_factory.GetMessageClass(pool.FindMessageTypeByName(name)) if known else None

    def of(self, field: descriptor_pb2.FieldDescriptorProto) -> list[str]:
        """One text for each, such as ``(decentraland.common.quantized) min 0.0 max 16.0 bits 8``."""
        if self.cls is None:
            return []
        found = [
            entry
            for entry in self.cls.FromString(field.options.SerializeToString()).ListFields()
            if entry[0].is_extension
        ]
        return [f"({option.full_name}) {self.value(value)}" for option, value in found]

    def value(self, value: Any) -> str:
        """Of a message all fields, those that are zero too."""
        if not hasattr(value, "DESCRIPTOR"):
            return str(value)
        return " ".join(f"{one.name} {getattr(value, one.name)}" for one in value.DESCRIPTOR.fields)


def _kind(field: descriptor_pb2.FieldDescriptorProto) -> str:
    return field.type_name.removeprefix(".") or TYPES.Name(field.type).removeprefix("TYPE_").lower()


def _message(name: str, message: descriptor_pb2.DescriptorProto, found: Facts, options: Options) -> None:
    found[name] = "message"
    for field in message.field:
        parts = ["repeated"] if field.label == field.LABEL_REPEATED else []
        parts += ["optional"] if field.proto3_optional else []
        if field.HasField("oneof_index") and not field.proto3_optional:
            parts += [f"oneof {message.oneof_decl[field.oneof_index].name}"]
        found[f"{name}.{field.name}"] = " ".join([*parts, _kind(field), f"= {field.number}", *options.of(field)])
    for span in message.reserved_range:
        found[f"{name} reserved {span.start} to {span.end - 1}"] = "numbers"
    for word in message.reserved_name:
        found[f"{name} reserved {word}"] = "name"
    for nested in message.nested_type:
        _message(f"{name}.{nested.name}", nested, found, options)
    for enum in message.enum_type:
        _enum(f"{name}.{enum.name}", enum, found)


def _enum(name: str, enum: descriptor_pb2.EnumDescriptorProto, found: Facts) -> None:
    found[name] = "enum"
    found.update({f"{name}.{value.name}": f"= {value.number}" for value in enum.value})


def compare(ours: Facts, theirs: Facts) -> list[str]:
    """Every difference as one line."""
    lines: list[str] = []
    for name in sorted(ours | theirs):
        mine, published = ours.get(name), theirs.get(name)
        if mine is None:
            lines.append(f"{name}: published only ({published})")
        elif published is None:
            lines.append(f"{name}: ours only ({mine})")
        elif mine != published:
            lines.append(f"{name}: ours {mine}, published {published}")
    return lines


def allowed(path: Path) -> dict[str, str]:
    """The listed differences and their reasons."""
    entries = tomllib.loads(path.read_text(encoding="utf-8")).get("difference", [])
    for entry in entries:
        if not entry.get("reason", "").strip():
            raise SystemExit(f"{path.name}: no reason for {entry['what']!r}")
    return {entry["what"]: entry["reason"] for entry in entries}


def verdict(found: list[str], listed: dict[str, str]) -> tuple[list[str], int]:
    """The lines to print and the exit code."""
    lines = [f"allowed   {line}\n          {listed[line]}" for line in found if line in listed]
    unlisted = [line for line in found if line not in listed]
    stale = [line for line in listed if line not in found]
    lines += [f"UNLISTED  {line}" for line in unlisted] + [f"STALE     {line}" for line in stale]
    lines += [f"{len(found)} differences: {len(unlisted)} not listed; {len(stale)} listed ones no longer exist"]
    return lines, 1 if unlisted or stale else 0


def pinned() -> tuple[str, str]:
    """The version that was tried, and npm's hash of its tarball."""
    integrity: str = tomllib.loads(ALLOWED.read_text(encoding="utf-8"))["integrity"]
    entries = tomllib.loads(TRIED.read_text(encoding="utf-8"))["tried"]
    return next(entry["versions"][0] for entry in entries if entry["name"] == PUBLISHED), integrity


def digest(tarball: Path) -> str:
    """As npm writes it."""
    return "sha512-" + base64.b64encode(hashlib.sha512(tarball.read_bytes()).digest()).decode()


def _fetch(scratch: Path, version: str) -> Path:
    done = subprocess.run(
        ["npm", "pack", "--json", "--ignore-scripts", f"{PUBLISHED}@{version}"],
        cwd=scratch,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=300,
    )
    (answer,) = json.loads(done.stdout)
    print(f"{answer['name']} {answer['version']}")
    return scratch / str(answer["filename"])


def _fetch_pinned(scratch: Path) -> Path:
    version, integrity = pinned()
    tarball = _fetch(scratch, version)
    if digest(tarball) != integrity:
        raise SystemExit(f"{PUBLISHED} {version} is not the one that was tried: {digest(tarball)}")
    return tarball


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--package", type=Path, help="a tarball from `npm pack`, in place of fetching one")
    parser.add_argument(
        "--newest", action="store_true", help="what npm has now, in place of the version that was tried"
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        tarball = arguments.package or (_fetch(scratch, "latest") if arguments.newest else _fetch_pinned(scratch))
        with tarfile.open(tarball) as archive:
            archive.extractall(scratch, filter="data")
        lines, code = verdict(
            compare(facts(OURS, scratch), facts(scratch / "package" / "proto", scratch)), allowed(ALLOWED)
        )
    print("\n".join(lines))
    return code


if __name__ == "__main__":
    sys.exit(main())
