"""May we run a program that lies there?  Only one that nobody else could have put there, or can change.

A program is ours to run if it belongs to us or to root and only its owner may write to it.  The same is asked of the
folder of a cache, which is always in the same place and which nobody looks into; folders that people name themselves
(``LIVEKIT_SERVER``, PATH) may belong to a group.  Folders above must not be everybody's, unless they are sticky as the
temporary folder is: there nobody can put another one in our folder's place.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

__all__ = ["distrusted", "distrusted_folder"]

_ROOT: Final = 0


def distrusted(program: Path) -> str | None:
    """Why this program is not run, in words for people; None: it may be.  It has to exist."""
    real = Path(os.path.realpath(program))
    status = real.stat()
    if not stat.S_ISREG(status.st_mode):
        return f"{program} is not a regular file"
    return _others(program, status) or _link(program) or _above(real)


def distrusted_folder(folder: Path) -> str | None:
    """Why nothing in this folder is run, nor put there to be run; None: it may be.  It has to exist."""
    real = Path(os.path.realpath(folder))
    status = real.stat()
    if not stat.S_ISDIR(status.st_mode):
        return f"{folder} is not a folder"
    return _others(folder, status) or _link(folder) or _above(real)


def _others(path: Path, status: os.stat_result) -> str | None:
    if status.st_uid not in {os.geteuid(), _ROOT}:
        return f"{path} belongs to somebody else"
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return f"others may write to {path}: chmod go-w it, if you know what is in it"
    return None


def _link(path: Path) -> str | None:
    """A link is as good as who made it."""
    if path.lstat().st_uid not in {os.geteuid(), _ROOT}:
        return f"{path} belongs to somebody else"
    return None


def _above(real: Path) -> str | None:
    for folder in real.parents:
        mode = folder.stat().st_mode
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            return f"everybody may write to {folder}"
    return None
