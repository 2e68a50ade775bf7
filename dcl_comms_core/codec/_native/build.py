"""Compile the native extensions: each one call of the C compiler, with CPython's headers and nothing else.

``python dcl_comms_core/codec/_native/build.py`` builds them in place for the interpreter that runs it (an editable
install does the same); ``--only NAME``, ``--into FOLDER`` and ``--sanitize KINDS`` are for .ci/sanitize.  The result is
moved into its place when it is whole, so that a program that is starting meanwhile finds the old one or the new one.

Flags: those that the interpreter was built with, ours, those that harden (as far as this compiler takes them, as it
also has to take the interpreter's), and last the environment's CFLAGS, CPPFLAGS and LDFLAGS, which have the last word.
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
from functools import cache
from pathlib import Path
from typing import NamedTuple

__all__ = ["CALLBACK", "CODEC", "CannotBuild", "Extension", "build", "file_name", "source_hash"]

HERE = Path(__file__).resolve().parent


class Extension(NamedTuple):
    """One extension: a folder of C sources, one of which includes the others."""

    what: str
    module: str
    main: str
    package: str
    """Where it is imported from, as a path below the folder of its top package."""
    folder: Path
    twin: str
    """What is used without it."""
    also: tuple[Path, ...] = ()
    """What it is made for, beside its C files."""


CODEC = Extension(
    what="codec",
    module="_speedups",
    main="codec.c",
    package="dcl_comms_core/codec/_native",
    folder=HERE,
    twin="the pure-Python one",
    also=(HERE.parents[1] / "proto" / "_gen" / "tables.py",),
)
CALLBACK = Extension(
    what="callback",
    module="_events",
    main="events.c",
    package="dcl_comms_drivers/livekit/_native",
    folder=HERE.parents[2] / "drivers" / "dcl_comms_drivers" / "livekit" / "_native",
    twin="ctypes'",
)
EXTENSIONS = (CODEC, CALLBACK)
FLAGS = [
    "-std=c11",
    "-O3",
    "-g0",
    "-fPIC",
    "-fvisibility=hidden",
    "-fno-semantic-interposition",
    "-Wall",
    "-Wextra",
    "-Werror",
]
HARDENING = (
    ("-fstack-protector-strong",),
    ("-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=2"),
    ("-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=3"),
    ("-fcf-protection",),
    ("-Wl,-z,relro", "-Wl,-z,now"),
    ("-Wl,-z,noexecstack",),
)
"""Each for itself: not every compiler, processor and linker has all of them.  A later one replaces an earlier one."""
_PROBE = """#include <string.h>
int probe(char *to, const char *from);
int probe(char *to, const char *from) { strcpy(to, from); return 0; }
"""
SANITIZED = ["-g", "-O1", "-fno-omit-frame-pointer", "-fno-sanitize-recover=all"]


class CannotBuild(Exception):
    """There is no compiler, or it did not like the source; the text says which."""


def source_hash(extension: Extension = CODEC) -> str:
    """A hash of everything that the extension is made for: its C files and, for the codec, the field tables."""
    found = hashlib.sha256()
    folder = extension.folder
    for path in [*sorted((*folder.glob("*.c"), *folder.glob("*.h"))), *extension.also]:
        found.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()


def file_name(extension: Extension = CODEC) -> str:
    """The name under which this interpreter finds the extension."""
    return f"{extension.module}{sysconfig.get_config_var('EXT_SUFFIX')}"


def _compiler() -> list[str]:
    told = os.environ.get("CC")
    candidates = [told] if told else [str(sysconfig.get_config_var("CC") or ""), "cc", "gcc", "clang"]
    for candidate in candidates:
        words = shlex.split(candidate)
        if words and shutil.which(words[0]):
            return words
    raise CannotBuild(f"no C compiler was found (tried: {', '.join(filter(None, candidates))})")


def _words(*variables: str | int | None) -> list[str]:
    return [word for text in variables for word in shlex.split(str(text or ""))]


def _link() -> list[str]:
    return ["-bundle", "-undefined", "dynamic_lookup"] if sys.platform == "darwin" else ["-shared"]


@cache
def _takes(compiler: tuple[str, ...], flags: tuple[str, ...]) -> bool:
    """Whether the compiler and its linker know these flags, and have nothing to say about them."""
    with tempfile.TemporaryDirectory(prefix="dcl-comms-") as scratch:
        source = Path(scratch, "probe.c")
        source.write_text(_PROBE, encoding="ascii")
        command = [
            *compiler,
            *flags,
            "-O2",
            "-fPIC",
            "-Werror",
            *_link(),
            str(source),
            "-o",
            str(source.with_suffix(".so")),
        ]
        try:
            return subprocess.run(command, capture_output=True, check=False, timeout=60).returncode == 0
        except (OSError, subprocess.SubprocessError):
            return False


def flags(compiler: list[str]) -> list[str]:
    """All flags of an ordinary build, in order."""
    tool = tuple(compiler)
    told = tuple(
        word
        for word in _words(*map(sysconfig.get_config_var, ("CFLAGS", "LDFLAGS")))
        # There is nothing to link with, and a folder of this machine has no place in a wheel.
        if not word.startswith(("-L", "-Wl,-rpath"))
    )
    mine = _words(*map(os.environ.get, ("CFLAGS", "CPPFLAGS", "LDFLAGS")))
    return [
        # An interpreter may come from elsewhere, made with a compiler that isn't this one.
        *(told if _takes(tool, told) else ()),
        *FLAGS,
        *(flag for group in HARDENING if _takes(tool, group) for flag in group),
        "-DNDEBUG",
        # What somebody asks for may make a compiler talk.
        *(["-Wno-error", *mine] if mine else ()),
    ]


def build(into: Path | None = None, *, sanitize: str = "", extension: Extension = CODEC) -> Path:
    """The extension for this interpreter, in the folder ``into`` or in its package.  Raises CannotBuild."""
    into = into or extension.folder
    if not extension.folder.is_dir():
        raise CannotBuild(f"{extension.folder.name} is not here: only the core is")
    if sys.implementation.name != "cpython":
        raise CannotBuild(f"the native {extension.what} is for CPython, this is {sys.implementation.name}")
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        raise CannotBuild(f"the native {extension.what} needs the GIL")
    includes = {sysconfig.get_path(name) for name in ("include", "platinclude")}
    compiler = _compiler()
    with tempfile.TemporaryDirectory(dir=into, prefix=".building-") as scratch:
        out = Path(scratch, file_name(extension))
        command = [
            *compiler,
            *([*FLAGS, *SANITIZED, f"-fsanitize={sanitize}"] if sanitize else flags(compiler)),
            *(f"-I{path}" for path in sorted(includes)),
            f'-DSOURCE_HASH="{source_hash(extension)}"',
            *_link(),
            str(extension.folder / extension.main),
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


def no_extension(extension: Extension, problem: Exception) -> str:
    """What is said when one was not built."""
    return f"dcl-comms: the native {extension.what} was not built, {extension.twin} is used: {problem}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=[extension.what for extension in EXTENSIONS], help="one of them")
    parser.add_argument("--into", type=Path, help="another folder than the package")
    parser.add_argument("--sanitize", default="", help="with these sanitizers: address,undefined or thread")
    arguments = parser.parse_args()
    missing = 0
    for extension in EXTENSIONS:
        if arguments.only in {None, extension.what}:
            try:
                print(build(arguments.into, sanitize=arguments.sanitize, extension=extension))
            except CannotBuild as problem:
                print(no_extension(extension, problem), file=sys.stderr)
                missing = 1
    return missing


if __name__ == "__main__":
    sys.exit(main())
