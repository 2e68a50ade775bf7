"""Where a command's target comes from, and a world's password: an argument, the environment, a file, standard input.

Arguments of a process are visible to every user of the machine, so what is secret has other ways in.
"""

from __future__ import annotations

import os
import re
import sys
from getpass import getpass
from pathlib import Path
from typing import Final

from dcl_comms_core.limits import DEFAULT_LIMITS
from dcl_comms_core.tools.secrets import has_token
from dcl_comms_station.configuring.using import current
from dcl_comms_station.exits import Exit, Failed
from dcl_comms_station.terminal import complain

__all__ = ["SECRET_VARIABLE", "TARGET_VARIABLE", "check_text", "find_recording", "find_secret", "find_target"]

TARGET_VARIABLE: Final = "DCL_COMMS_TARGET"
"""The environment variable that stands for an absent TARGET."""
SECRET_VARIABLE: Final = "DCL_COMMS_SECRET"  # noqa: S105 - its name
"""The environment variable that stands for an absent ``--secret``."""
_SECRET_CHARS: Final = 1_024
_TARGET: Final = re.compile(
    r"-"
    r"|[a-z][a-z0-9+.-]*://\S+"
    r"|(?:livekit|ws-room|archipelago|signed-login|fixed-adapter|simulator|offline):\S*"
    r"|(?:\[[0-9a-f:]+\]|[a-z0-9.-]+):\d{1,5}(?:/\S*)?"
    r"|(?:www\.)?decentraland\.(?:org|zone)/\S*"
    r"|[a-z0-9-]+\.dcl\.eth",
    re.IGNORECASE,
)
"""A word that leads somewhere, and so is hardly what somebody wants to say."""


def find_recording(argument: str | None) -> Path | None:
    """The file that TARGET names, where it is a recording's name; else None.  Failed(USAGE): it is not there."""
    if argument is None or "://" in argument or not argument.endswith((".mcap", ".mcap.part")):
        return None
    path = Path(argument)
    if not path.is_file():
        raise Failed(Exit.USAGE, f"there is no file {argument}")
    return path


def find_target(argument: str | None) -> str:
    """The target's text: standard input's for ``-``, the environment's or else the file's for None.

    A name of the user's file is what it stands for.  Failed(USAGE): there is none, or it is nearly such a name.
    """
    config = current()
    return config.find(_find(argument, config.default))


def _find(argument: str | None, default: str | None) -> str:
    if argument == "-":
        text = _first_line(DEFAULT_LIMITS.connection_string_chars + 2).strip()
        if not text:
            raise Failed(Exit.USAGE, "standard input has no target in its first line")
        return text
    if argument is None:
        text = os.environ.get(TARGET_VARIABLE, "").strip()
        if not text and default is not None:
            return default
        if not text:
            raise Failed(Exit.USAGE, f"no target: give one, or - for the first line of stdin, or set {TARGET_VARIABLE}")
        return text
    if has_token(argument):
        complain(
            f"warning: a token in the arguments can be seen by every user of this machine: use - or {TARGET_VARIABLE}"
        )
    return argument


def _first_line(most: int) -> str:
    """Standard input's, and nothing of what follows, which ``chat`` says: so a byte at a time."""
    try:
        descriptor = sys.stdin.fileno()
    except (OSError, ValueError):
        # It is no file, and nobody else reads it.
        return sys.stdin.readline(most)
    line = b""
    while len(line) < most and (byte := os.read(descriptor, 1)) not in {b"", b"\n"}:
        line += byte
    return line.decode(errors="replace")


def find_secret(argument: str | None) -> str | None:
    """A world's password: asked for, or a line of standard input, for ``-``; the first line of a file for ``@FILE``.

    The environment's for None, or there is none.  Failed(USAGE): the file can't be read.
    """
    if argument is None:
        return os.environ.get(SECRET_VARIABLE)
    if argument == "-":
        if sys.stdin.isatty():
            return getpass("The world's password: ")
        return sys.stdin.readline(_SECRET_CHARS).rstrip("\r\n")
    if argument.startswith("@"):
        try:
            with Path(argument[1:]).open(encoding="utf-8") as file:
                return file.readline(_SECRET_CHARS).rstrip("\r\n")
        except UnicodeDecodeError:
            raise Failed(Exit.USAGE, "--secret: this file is no text") from None
        except OSError as error:
            raise Failed(Exit.USAGE, f"--secret: this file can't be read: {error.strerror}") from None
    complain(
        "dcl-comms: warning: a password in the arguments can be seen by every user of this machine: "
        f"use --secret -, --secret @FILE or {SECRET_VARIABLE}"
    )
    return argument


def check_text(text: str, *, alone: bool) -> None:
    """Failed(USAGE): what is to be said holds a token, or is all that was given (``alone``) and is a target."""
    if has_token(text):
        raise Failed(Exit.USAGE, "nothing was sent: there is an access token in TEXT, and everybody would read it")
    if alone and (_TARGET.fullmatch(text.strip()) or text.strip() in current().targets):
        raise Failed(
            Exit.USAGE, "nothing was sent: TEXT is missing; to say what is a target itself, give both: say TARGET TEXT"
        )
