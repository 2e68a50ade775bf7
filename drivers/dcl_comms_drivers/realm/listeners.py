"""Whose a port of loopback is: what the kernel says in ``/proc``, before anything secret is sent there."""

from __future__ import annotations

import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["listens"]

_LISTEN: Final = "0A"
_PROC: Final = Path("/proc")


def listens(host: str, port: int, leader: int) -> bool:
    """Whether this process, or another of the group that it leads, listens at this IPv4 address and port.

    Where the system does not tell (it is no Linux), True.
    """
    try:
        table = (_PROC / str(leader) / "net" / "tcp").read_text(encoding="ascii")
    except OSError:
        return not (_PROC / "self" / "net" / "tcp").exists()
    address = f"{int.from_bytes(socket.inet_aton(host), sys.byteorder):08X}:{port:04X}"
    rows = (line.split() for line in table.splitlines()[1:])
    links = {f"socket:[{row[9]}]" for row in rows if row[1] == address and row[3] == _LISTEN}
    return bool(links) and any(links & set(_links(process)) for process in _group(leader))


def _group(leader: int) -> Iterator[Path]:
    yield _PROC / str(leader)
    for stat in _PROC.glob("[0-9]*/stat"):
        try:
            fields = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:
            continue  # it has ended
        if int(fields[2]) == leader:
            yield stat.parent


def _links(process: Path) -> Iterator[str]:
    """What its descriptors are, as far as we may look."""
    with suppress(OSError):  # it has ended, or is another user's
        for descriptor in (process / "fd").iterdir():
            with suppress(OSError):  # closed meanwhile
                yield str(descriptor.readlink())
