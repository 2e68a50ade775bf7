"""The crates that drivers/rtc is made of: each from crates.io, as Cargo.lock has it, under a licence of this list.

``python .ci/tools/crates.py`` reads ``cargo metadata --locked --offline``, so the crates have to have been fetched, and
says what is wrong, a line each; exit 1 where there is any.  `make check` calls this where cargo is.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CRATE = ROOT / "drivers" / "rtc"
INDEX = "registry+https://github.com/rust-lang/crates.io-index"
# What may be built into a wheel under Apache-2.0, on no other terms than that their texts are handed on.
ALLOWED = {
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Zlib",
}
_WORD = re.compile(r"\s*(\(|\)|/|\bAND\b|\bOR\b|[A-Za-z0-9.+-]+(?:\s+WITH\s+[A-Za-z0-9.+-]+)?)")


def allowed(expression: str) -> bool:
    """Whether an SPDX expression lets its user choose nothing but licences of the list.  ValueError: it is none."""
    words = _WORD.findall(expression)
    if _WORD.sub("", expression).strip():
        raise ValueError(expression)
    found = _either(words)
    if words:
        raise ValueError(expression)
    return found


def _either(words: list[str]) -> bool:
    """Terms joined by OR, or by ``/`` as older crates write it: one of them suffices."""
    found = _both(words)
    while words and words[0] in {"OR", "/"}:
        words.pop(0)
        found = _both(words) or found
    return found


def _both(words: list[str]) -> bool:
    """Terms joined by AND, which binds tighter: all are needed."""
    found = _one(words)
    while words and words[0] == "AND":
        words.pop(0)
        found = _one(words) and found
    return found


def _one(words: list[str]) -> bool:
    word = words.pop(0) if words else ""
    if word == "(":
        found = _either(words)
        if not words or words.pop(0) != ")":
            raise ValueError("a bracket is open")
        return found
    if word in {"", ")", "/", "AND", "OR"}:
        raise ValueError("a licence is missing")
    return " ".join(word.split()) in ALLOWED


def faults(packages: list[dict[str, str | None]], locked: dict[tuple[str, str], str | None]) -> list[str]:
    """What is wrong with packages, given checksums by name and version."""
    found: list[str] = []
    for one in packages:
        name, version, source = str(one["name"]), str(one["version"]), one["source"]
        if source != INDEX:
            found.append(f"{name} {version} is not of crates.io: {source}")
        elif not locked.get((name, version)):
            found.append(f"{name} {version} has no checksum in Cargo.lock")
        try:
            fine = allowed(one["license"] or "")
        except ValueError:
            fine = False
        if not fine:
            found.append(f"{name} {version} has a licence that is not allowed: {one['license']}")
    return found


def main() -> int:
    command = ["cargo", "metadata", "--locked", "--offline", "--format-version", "1", "--manifest-path"]
    done = subprocess.run([*command, str(CRATE / "Cargo.toml")], check=True, capture_output=True, text=True)
    packages = [one for one in json.loads(done.stdout)["packages"] if one["name"] != "dcl-comms-rtc"]
    lock = tomllib.loads((CRATE / "Cargo.lock").read_text(encoding="utf-8"))["package"]
    found = faults(packages, {(one["name"], one["version"]): one.get("checksum") for one in lock})
    print("\n".join(found) or f"{len(packages)} crates: of crates.io, under licences of the list")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
