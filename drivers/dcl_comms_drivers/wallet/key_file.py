"""A secret in a file that only its owner can read: created new with mode 0600, and not read when it is wider.

The folders above it are the user's to protect: whoever may write to them can put another file in its place.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from dcl_comms_core.errors import CommsError

__all__ = ["KeyFileRefused", "read_key", "read_private", "write_key"]

_MODE: Final = 0o600
_OTHERS: Final = 0o077
_MAX_BYTES: Final = 128
# A symbolic link is not followed, and a pipe or a device that stands there blocks nobody.
_CAREFULLY: Final = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class KeyFileRefused(CommsError):
    """A file with a key in it is not as it has to be; the text says what to do."""


def write_key(path: str | os.PathLike[str], key: str) -> None:
    """Save a key in a new file.

    Raises KeyFileRefused: something of that name exists, even a dangling link, or the file system can't keep it
    private.  OSError: it can't be written.
    """
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _CAREFULLY, _MODE)
    except FileExistsError:
        raise KeyFileRefused("this file exists: name another one, or move it away") from None
    try:
        with os.fdopen(handle, "wb") as file:
            _require_private(handle)
            file.write(f"{key}\n".encode())
            file.flush()
            os.fsync(handle)
    except BaseException:
        Path(path).unlink()
        raise


def read_key(path: str | os.PathLike[str]) -> str:
    """Read what :func:`write_key` wrote; whether it is a key is the caller's to find out.

    Raises what :func:`read_private` raises.
    """
    return read_private(path, _MAX_BYTES).decode("latin-1").strip()


def read_private(path: str | os.PathLike[str], most: int) -> bytes:
    """Read a file that holds a secret, its first ``most`` bytes.

    Raises KeyFileRefused: it is a link or no regular file, it is somebody else's, or others may read or write it.
    OSError: it can't be read.
    """
    try:
        handle = os.open(path, os.O_RDONLY | _CAREFULLY)
    except OSError:
        if not Path(path).is_symlink():
            raise
        raise KeyFileRefused("this is a symbolic link: name the file itself") from None
    try:
        _require_private(handle)
        return os.read(handle, most)
    finally:
        os.close(handle)


def _require_private(handle: int) -> None:
    """Look at the open file itself: what its name stands for may change in between."""
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        raise KeyFileRefused("this is not a regular file")
    if status.st_mode & _OTHERS:
        raise KeyFileRefused("others may read or write this file: chmod 600 it, and think of the key as known")
    if status.st_uid != os.geteuid():
        raise KeyFileRefused("this file belongs to somebody else")
