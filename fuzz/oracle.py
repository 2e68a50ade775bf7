"""Protobuf's own runtime on our .proto files: the judge of what is valid and what it means."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, unknown_fields
from google.protobuf.message import DecodeError as OracleError

from dcl_comms_core.proto._gen.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from google.protobuf.message import Message

    from dcl_comms_core.proto import WireMessage

__all__ = ["OracleError", "oracle_classes", "read"]

PROTO = Path(__file__).resolve().parents[1] / "dcl_comms_core" / "proto"


@cache
def oracle_classes() -> Mapping[type[WireMessage], type[Message]]:
    """Our class -> a class of protobuf's runtime, from a fresh run of protoc."""
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch, "all.pb")
        sources = [str(path) for path in sorted(PROTO.rglob("*.proto"))]
        command = [
            sys.executable,
            "-m",
            "grpc_tools.protoc",
            f"-I{PROTO}",
            "--include_imports",
            f"--descriptor_set_out={out}",
        ]
        subprocess.run([*command, *sources], check=True, timeout=60)  # noqa: S603  # our own protoc and files
        found = descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes())
    pool: Any = descriptor_pool.DescriptorPool()
    for file in found.file:  # protoc writes imported files first
        pool.Add(file)
    return {table.cls: message_factory.GetMessageClass(pool.FindMessageTypeByName(table.full_name)) for table in TABLES}


def read(cls: type[WireMessage], data: bytes) -> Message:
    """What protobuf's runtime reads.  Raises OracleError."""
    message = oracle_classes()[cls].FromString(data)
    if _has_number_zero(message):
        raise OracleError("field number 0")
    return message


def _has_number_zero(message: Message) -> bool:
    """Upb refuses field number 0 everywhere but in a message that has no fields: there it forgets to look."""
    if not message.DESCRIPTOR.fields:
        unknown: Any = unknown_fields.UnknownFieldSet(message)
        return any(field.field_number == 0 for field in unknown)
    # Upb tells a set message from an absent one; none of ours without fields is repeated, or a map's value.
    return any(
        _has_number_zero(value)
        for field, value in message.ListFields()
        if field.message_type is not None and hasattr(value, "DESCRIPTOR")
    )
