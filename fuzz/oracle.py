"""Protobuf's own runtime on our .proto files: the judge of what is valid and what it means."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError as OracleError

from dcl_comms_core.proto._gen.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from google.protobuf.message import Message

    from dcl_comms_core.proto import WireMessage

__all__ = ["OracleError", "oracle_classes"]

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
