"""Run protoc once; give the messages, enums and fields, and the text that betterproto2-compiler wrote for each."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from google.protobuf import descriptor_pb2

SOURCES = {
    "decentraland.common": ("common", ("decentraland/common/vectors.proto",)),
    "decentraland.kernel.comms.rfc4": ("rfc4", ("decentraland/kernel/comms/rfc4/comms.proto",)),
    "decentraland.kernel.comms.rfc5": ("rfc5", ("decentraland/kernel/comms/rfc5/ws_comms.proto",)),
    "decentraland.kernel.comms.v3": ("v3", ("decentraland/kernel/comms/v3/archipelago.proto",)),
    "livekit": ("livekit", ("livekit_protocol/signalling.proto",)),
    "decentraland.pulse": ("pulse", (
        "decentraland/pulse/pulse_shared.proto",
        "decentraland/pulse/pulse_client.proto",
        "decentraland/pulse/pulse_server.proto",
    )),
}  # fmt: skip
TYPES = {
    1: "double", 2: "float", 3: "int64", 4: "uint64", 5: "int32", 8: "bool", 9: "string", 11: "message", 12: "bytes",
    13: "uint32", 14: "enum", 17: "sint32",
}  # fmt: skip
CONTINUES = 128
REPEATABLE = {"string", "message"}
WIRE = {"double": 1, "float": 5, "string": 2, "message": 2, "bytes": 2, "map": 2}


@dataclass
class FieldInfo:
    """One field, from the descriptor and from the compiler's text."""

    name: str
    number: int
    type: str
    presence: str
    ref: str = ""  # the Python name of the message or enum class, e.g. "rfc4.Position"
    group: str = ""
    key: str = ""
    value: str = ""
    annotation: str = ""  # as betterproto2-compiler wrote it
    call: str = ""  # its betterproto2.field(...) expression
    note: str = ""

    @property
    def tag(self) -> int:
        """Number and wire type."""
        return self.number << 3 | WIRE.get(self.type, 0)

    @property
    def tag_bytes(self) -> bytes:
        """The tag on the wire."""
        out, tag = bytearray(), self.tag
        while tag >= CONTINUES:
            out.append(tag & 127 | CONTINUES)
            tag >>= 7
        return bytes([*out, tag])


@dataclass
class MessageInfo:
    """One message."""

    name: str
    full_name: str
    module: str
    fields: list[FieldInfo] = field(default_factory=list)  # as declared
    doc: str = ""

    @property
    def ref(self) -> str:
        """The class, as generated code names it."""
        return f"{self.module}.{self.name}"

    @property
    def sorted(self) -> list[FieldInfo]:
        """Fields in order of number."""
        return sorted(self.fields, key=lambda f: f.number)


@dataclass
class FileInfo:
    """The .proto files of one package: one module of classes."""

    module: str
    paths: tuple[str, ...]
    messages: list[MessageInfo] = field(default_factory=list)
    enums: dict[str, dict[str, int]] = field(default_factory=dict)


def load(proto: Path, scratch: Path) -> list[FileInfo]:
    """The packages, in the order that they import each other."""
    paths = [path for _, of_package in SOURCES.values() for path in of_package]
    # The plugin is found on PATH: beside this interpreter.
    env = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    descriptors = scratch / "all.pb"
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{proto}", f"--python_betterproto2_out={scratch}",
               f"--descriptor_set_out={descriptors}", *paths]  # fmt: skip
    subprocess.run(command, check=True, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    found = descriptor_pb2.FileDescriptorSet.FromString(descriptors.read_bytes())
    refs = _references(found)
    packages = {package: FileInfo(*source) for package, source in SOURCES.items()}
    for file in found.file:
        _add(packages[file.package], file, refs, scratch)
    return list(packages.values())


def _references(found: descriptor_pb2.FileDescriptorSet) -> dict[str, str]:
    refs: dict[str, str] = {}
    for file in found.file:
        module = SOURCES[file.package][0]
        for message in file.message_type:
            refs[f".{file.package}.{message.name}"] = f"{module}.{message.name}"
            for enum in message.enum_type:
                refs[f".{file.package}.{message.name}.{enum.name}"] = f"{module}.{enum.name}"
        for enum in file.enum_type:
            refs[f".{file.package}.{enum.name}"] = f"{module}.{enum.name}"
    return refs


def _add(info: FileInfo, file: descriptor_pb2.FileDescriptorProto, refs: dict[str, str], scratch: Path) -> None:
    written = _compiled(scratch.joinpath(*file.package.split("."), "__init__.py"))
    for enum in file.enum_type:
        info.enums[enum.name] = {value.name: value.number for value in enum.value}
    for message in file.message_type:
        out = MessageInfo(message.name, f"{file.package}.{message.name}", info.module)
        for enum in message.enum_type:
            info.enums[enum.name] = {value.name: value.number for value in enum.value}
        nested = {f".{out.full_name}.{entry.name}": entry for entry in message.nested_type}
        renames = {f"{message.name}{enum.name}": enum.name for enum in message.enum_type}
        for raw in message.field:
            one = _field(raw, message, nested, refs)
            one.annotation, one.call, one.note = written[message.name][raw.name]
            for old, new in renames.items():
                one.annotation = one.annotation.replace(old, new)
                one.call = one.call.replace(old, new)
            out.fields.append(one)
        info.messages.append(out)


def _field(
    raw: descriptor_pb2.FieldDescriptorProto,
    message: descriptor_pb2.DescriptorProto,
    nested: dict[str, descriptor_pb2.DescriptorProto],
    refs: dict[str, str],
) -> FieldInfo:
    if raw.type not in TYPES:
        raise SystemExit(f"{message.name}.{raw.name}: the codec has no code for this field type")
    if raw.number >= 1 << 11:
        raise SystemExit(f"{message.name}.{raw.name}: the generator writes tags of one or two bytes only")
    kind = TYPES[raw.type]
    if raw.type_name in nested:
        key, value = nested[raw.type_name].field
        return FieldInfo(raw.name, raw.number, "map", "map", refs.get(value.type_name, ""), "", TYPES[key.type],
                         TYPES[value.type])  # fmt: skip
    presence, group = "implicit", ""
    if raw.label == raw.LABEL_REPEATED:
        if kind not in REPEATABLE:
            raise SystemExit(f"{message.name}.{raw.name}: the codec has no code for repeated numbers")
        presence = "repeated"
    elif raw.proto3_optional or (kind == "message" and not raw.HasField("oneof_index")):
        presence = "explicit"
    elif raw.HasField("oneof_index"):
        if kind != "message":
            raise SystemExit(f"{message.name}.{raw.name}: the codec has no code for a scalar in a oneof")
        presence, group = "oneof", message.oneof_decl[raw.oneof_index].name
    return FieldInfo(raw.name, raw.number, kind, presence, refs.get(raw.type_name, ""), group)


def _compiled(path: Path) -> dict[str, dict[str, tuple[str, str, str]]]:
    """From the compiler's module: message -> field -> (annotation, field call, comment)."""
    source = path.read_text(encoding="utf-8")
    out: dict[str, dict[str, tuple[str, str, str]]] = {}
    for node in ast.parse(source).body:
        if not isinstance(node, ast.ClassDef):
            continue
        fields: dict[str, tuple[str, str, str]] = {}
        name = ""
        for item in node.body:
            if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name) and item.value:
                name = item.target.id
                annotation = ast.literal_eval(item.annotation)
                fields[name] = (
                    str(annotation).replace("___common__", "common"),
                    ast.unparse(item.value),
                    "",
                )
            elif name and isinstance(item, ast.Expr) and isinstance(item.value, ast.Constant):
                fields[name] = (*fields[name][:2], " ".join(str(item.value.value).split()))
        out[node.name] = fields
    return out
