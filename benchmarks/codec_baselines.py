"""Other codecs for the same schema: protobuf's own runtime (upb), plain betterproto2, and protobuf-py where installed."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from fuzz.oracle import PROTO, oracle_classes

__all__ = ["UPB", "plain_betterproto2", "protobuf_py"]

UPB = {cls.__name__: theirs for cls, theirs in oracle_classes().items() if cls.__module__.endswith("rfc4")}
SOURCE = "decentraland/kernel/comms/rfc4/comms.proto"


def _generated(plugin: str, package: str, module: str) -> Any:
    """What protoc writes with a plugin, imported."""
    env = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch, package)
        out.mkdir()
        command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTO}", f"--{plugin}_out={out}"]
        subprocess.run([*command, SOURCE], check=True, env=env, capture_output=True, timeout=60)
        sys.path.insert(0, scratch)
        try:
            return importlib.import_module(f"{package}.decentraland.kernel.comms.rfc4{module}")
        finally:
            sys.path.remove(scratch)


@cache
def plain_betterproto2() -> Any:
    """The classes that betterproto2-compiler makes of our files, as they come, over betterproto2's own codec."""
    return _generated("python_betterproto2", "plain_betterproto2", "")


@cache
def protobuf_py() -> Any | None:
    """protobuf-py's classes (its Rust engine); None unless protobuf-py and protoc-gen-py are installed."""
    beside = str(Path(sys.executable).parent)
    if importlib.util.find_spec("protobuf") is None or shutil.which("protoc-gen-py", path=beside) is None:
        return None
    return _generated("py", "plain_protobuf_py", ".comms_pb")
