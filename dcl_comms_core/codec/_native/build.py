"""Compile the native codec: one call of the C compiler, with CPython's headers and nothing else.

``python dcl_comms_core/codec/_native/build.py`` builds it in place for the interpreter that runs it (an editable
install does the same); ``--into FOLDER`` and ``--sanitize`` are for .ci/sanitize.  The result is moved into its place
when it is whole, so that a program that is starting meanwhile finds the old one or the new one.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

__all__ = ["CannotBuild", "build", "file_name", "source_hash"]

HERE = Path(__file__).resolve().parent
TABLES = HERE.parents[1] / "proto" / "_gen" / "tables.py"
FLAGS = [
    "-std=c11",
    "-O3",
    "-fPIC",
    "-fvisibility=hidden",
    "-fno-semantic-interposition",
    "-Wall",
    "-Wextra",
    "-Werror",
]
SANITIZERS = ["-g", "-O1", "-fno-omit-frame-pointer", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


class CannotBuild(Exception):
    """There is no compiler, or it did not like the source; the text says which."""


def source_hash() -> str:
    """A hash of everything that the extension is made for: its C files and the field tables."""
    found = hashlib.sha256()
    for path in [*sorted((*HERE.glob("*.c"), *HERE.glob("*.h"))), TABLES]:
        found.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()


def file_name() -> str:
    """The name under which this interpreter finds the extension."""
    return f"_speedups{sysconfig.get_config_var('EXT_SUFFIX')}"


def _compiler() -> list[str]:
    told = os.environ.get("CC")
    candidates = [told] if told else [str(sysconfig.get_config_var("CC") or ""), "cc", "gcc", "clang"]
    for candidate in candidates:
        words = shlex.split(candidate)
        if words and shutil.which(words[0]):
            return words
    raise CannotBuild(f"no C compiler was found (tried: {', '.join(filter(None, candidates))})")


def build(into: Path = HERE, *, sanitize: bool = False) -> Path:
    """The extension for this interpreter, in the folder ``into``.  Raises CannotBuild."""
    if sys.implementation.name != "cpython":
        raise CannotBuild(f"the native codec is for CPython, this is {sys.implementation.name}")
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        raise CannotBuild("the native codec needs the GIL")
    includes = {sysconfig.get_path(name) for name in ("include", "platinclude")}
    link = ["-bundle", "-undefined", "dynamic_lookup"] if sys.platform == "darwin" else ["-shared"]
    with tempfile.TemporaryDirectory(dir=into, prefix=".building-") as scratch:
        out = Path(scratch, file_name())
        command = [
            *_compiler(),
            *FLAGS,
            *(SANITIZERS if sanitize else ["-DNDEBUG"]),
            *(f"-I{path}" for path in sorted(includes)),
            f'-DSOURCE_HASH="{source_hash()}"',
            *link,
            str(HERE / "codec.c"),
            "-o",
            str(out),
        ]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        except (OSError, subprocess.SubprocessError) as problem:
            raise CannotBuild(f"the C compiler did not run: {problem}") from None
        if done.returncode != 0:
            raise CannotBuild(f"the C compiler refused the source:\n{done.stderr.strip()}")
        place = into / out.name
        out.replace(place)
    return place


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--into", type=Path, default=HERE, help="another folder than the package")
    parser.add_argument("--sanitize", action="store_true", help="with AddressSanitizer and UndefinedBehaviorSanitizer")
    arguments = parser.parse_args()
    try:
        print(build(arguments.into, sanitize=arguments.sanitize))
    except CannotBuild as problem:
        print(f"dcl-comms: the native codec was not built, the pure-Python one is used: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
