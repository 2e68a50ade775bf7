"""Compare our .proto of Foxglove's messages with the published package foxglove-schemas-protobuf, field by field.

Fetches the version below with pip, which looks whether it has this hash, into a temporary folder.  Exit 1 on any difference: a message,
a field or an enum value of ours that is otherwise there, or a field there that ours lacks.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from base64 import b64decode
from importlib import import_module
from pathlib import Path

from google.protobuf import descriptor_pb2

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENT = (
    "foxglove-schemas-protobuf==0.4.0 --hash=sha256:e6a35df574f4c10ea455e8660abd09af028ea00d90e01c78f8696972e2decc95\n"
)
Facts = dict[str, str]


def facts(message: descriptor_pb2.DescriptorProto) -> Facts:
    """What matters on the wire, as name -> text."""
    found = {message.name: "message"}
    for field in message.field:
        kind = field.type_name or descriptor_pb2.FieldDescriptorProto.Type.Name(field.type)
        repeated = "repeated " if field.label == field.LABEL_REPEATED else ""
        found[f"{message.name}.{field.name}"] = f"{repeated}{kind} = {field.number}"
    for enum in message.enum_type:
        for value in enum.value:
            found[f"{message.name}.{enum.name}.{value.name}"] = str(value.number)
    return found


def ours() -> list[descriptor_pb2.DescriptorProto]:
    """Our messages."""
    sys.path.insert(0, str(ROOT / "station"))
    schemas = import_module("dcl_comms_station.recording._gen.schemas")
    found = descriptor_pb2.FileDescriptorSet.FromString(b64decode(schemas.FOXGLOVE))
    (file,) = (file for file in found.file if file.package == "foxglove")
    return list(file.message_type)


def theirs(name: str) -> descriptor_pb2.DescriptorProto:
    """The published message of that name."""
    published = descriptor_pb2.DescriptorProto()
    getattr(import_module(f"foxglove_schemas_protobuf.{name}_pb2"), name).DESCRIPTOR.CopyToProto(published)
    return published


def main() -> int:
    messages = ours()
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder) / "wanted.txt"
        wanted.write_text(REQUIREMENT)
        command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--require-hashes", "--target", folder]
        subprocess.run([*command, "-r", str(wanted)], check=True)
        sys.path.insert(0, folder)
        mine: Facts = {}
        published: Facts = {}
        for message in messages:
            mine |= facts(message)
            published |= facts(theirs(message.name))
    different = [name for name in sorted(mine | published) if mine.get(name) != published.get(name)]
    for name in different:
        print(f"{name}: ours {mine.get(name, 'absent')}, published {published.get(name, 'absent')}")
    print(f"foxglove-schemas-protobuf: {len(mine)} names compared, {len(different)} differ")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
