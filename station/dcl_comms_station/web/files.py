"""The built page: its files, read once, each with a type that we name and a tag by which browsers ask again."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["STATIC", "File", "build_of", "read_files"]

STATIC: Final = Path(__file__).parent / "static"
"""Where the built page is."""
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
"""Python's own table depends on the machine."""


class File(NamedTuple):
    """A file of the page."""

    data: bytes
    kind: str
    tag: str


def read_files(folder: Path = STATIC) -> dict[str, File]:
    """All of them, by the path that they are asked for with; ``/`` is index.html."""
    found: dict[str, File] = {}
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        kind = _TYPES.get(path.suffix)
        if kind is None or not path.is_file():
            continue
        data = path.read_bytes()
        found["/" + path.relative_to(folder).as_posix()] = File(
            data, kind, f'"{hashlib.sha256(data).hexdigest()[:32]}"'
        )
    if "/index.html" in found:
        found["/"] = found["/index.html"]
    return found


def build_of(files: Mapping[str, File]) -> str:
    """What tells one build of the page from another."""
    return hashlib.sha256("".join(sorted(file.tag for file in files.values())).encode()).hexdigest()[:16]
