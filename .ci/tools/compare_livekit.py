"""Compare our .proto of LiveKit's signalling with PyPI's `livekit-protocol`, field by field.

Ours has a part of theirs on purpose, so what only they have is no difference; whatever ours has must be there, with the
same number, type and name.  Fetches the version that tried.toml names, with pip, looks whether the wheel has the hash of
livekit_differences.toml, and reads the descriptors in it: none of its code runs.  Allowed differences stand in that file,
each with a reason, and the names that we have for theirs; exit 1 on a difference that is not listed, and on a listed one
that no longer exists.  ``--newest`` takes what PyPI has now; ``--package FILE`` a wheel that is already there.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import re
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from pathlib import Path
from typing import Any

from compare_protocol import OURS, Facts, Options, allowed, compare, compiled, facts_of, verdict
from google.protobuf import descriptor_pb2

ALLOWED = Path(__file__).with_name("livekit_differences.toml")
TRIED = Path(__file__).with_name("tried.toml")
PUBLISHED = "livekit-protocol"
SOURCES = ["livekit_protocol/signalling.proto"]
MODULES = ("livekit/protocol/models.py", "livekit/protocol/rtc.py")
_WORD = re.compile(r"[\w.]+")


def descriptors(wheel: Path) -> list[Any]:
    """What the modules of a wheel would register, which are literals in them."""
    found: list[Any] = []
    with zipfile.ZipFile(wheel) as archive:
        for module in MODULES:
            for node in ast.walk(ast.parse(archive.read(module))):
                match node:
                    case ast.Call(func=ast.Attribute(attr="AddSerializedFile"), args=[ast.Constant(value=bytes(data))]):
                        found.append(descriptor_pb2.FileDescriptorProto.FromString(data))
                    case _:
                        pass
    if len(found) != len(MODULES):
        raise SystemExit(f"{wheel.name}: its modules register their descriptors in another way than before")
    return found


def renamed(path: Path) -> dict[str, str]:
    """What ours are called on their side, by our names."""
    return {entry["ours"]: entry["published"] for entry in tomllib.loads(path.read_text("utf-8")).get("renamed", [])}


def in_their_words(ours: Facts, names: dict[str, str]) -> Facts:
    """Our facts under their names: the messages and enums themselves, what is in them, and types of fields."""

    def called(match: re.Match[str]) -> str:
        text = match.group()
        for mine, theirs in names.items():
            if text == mine or text.startswith(f"{mine}."):
                return theirs + text.removeprefix(mine)
        return text

    return {_WORD.sub(called, name): _WORD.sub(called, text) for name, text in ours.items()}


def differences(ours: Facts, theirs: Facts) -> list[str]:
    """Every difference in what ours has, as one line."""
    return compare(ours, {name: text for name, text in theirs.items() if name in ours})


def pinned() -> tuple[str, str]:
    """The version that was tried, and its wheel's hash."""
    digest: str = tomllib.loads(ALLOWED.read_text(encoding="utf-8"))["sha256"]
    entries = tomllib.loads(TRIED.read_text(encoding="utf-8"))["tried"]
    return next(entry["versions"][0] for entry in entries if entry["name"] == PUBLISHED), digest


def _fetch(scratch: Path, wanted: str) -> Path:
    # Of the interpreter that made this environment: uv's environments have no pip.
    python = Path(sys.base_prefix) / "bin" / "python3"
    command = [python, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", scratch]
    subprocess.run([*command, wanted], check=True, timeout=300)
    (wheel,) = scratch.glob("*.whl")
    print(wheel.name)
    return wheel


def _fetch_pinned(scratch: Path) -> Path:
    version, digest = pinned()
    wheel = _fetch(scratch, f"{PUBLISHED}=={version}")
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if found != digest:
        raise SystemExit(f"{PUBLISHED} {version} is not the one that was tried: {found}")
    return wheel


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--package", type=Path, help="a wheel, in place of fetching one")
    parser.add_argument(
        "--newest", action="store_true", help="what PyPI has now, in place of the version that was tried"
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        wheel = arguments.package or (_fetch(scratch, PUBLISHED) if arguments.newest else _fetch_pinned(scratch))
        no_options = Options([])
        ours = in_their_words(facts_of(compiled(OURS, SOURCES, scratch), no_options), renamed(ALLOWED))
        lines, code = verdict(differences(ours, facts_of(descriptors(wheel), no_options)), allowed(ALLOWED))
    print("\n".join(lines))
    return code


if __name__ == "__main__":
    sys.exit(main())
