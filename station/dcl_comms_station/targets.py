"""Where a command's target comes from: an argument, the environment, or the first line of standard input.

Arguments of a process are visible to every user of the machine, so a token has two other ways in.
"""

from __future__ import annotations

import os
import sys
from typing import Final

from dcl_comms_core.limits import DEFAULT_LIMITS
from dcl_comms_core.tools.secrets import has_token
from dcl_comms_station.exits import Exit, Failed
from dcl_comms_station.terminal import complain

__all__ = ["TARGET_VARIABLE", "find_target"]

TARGET_VARIABLE: Final = "DCL_COMMS_TARGET"
"""The environment variable that stands for an absent TARGET."""


def find_target(argument: str | None) -> str:
    """The target's text: standard input's for ``-``, the environment's for None.  Failed(USAGE): there is none."""
    if argument == "-":
        text = sys.stdin.readline(DEFAULT_LIMITS.connection_string_chars + 2).strip()
        if not text:
            raise Failed(Exit.USAGE, "standard input has no target in its first line")
        return text
    if argument is None:
        text = os.environ.get(TARGET_VARIABLE, "").strip()
        if not text:
            raise Failed(Exit.USAGE, f"no target: give one, or - for the first line of stdin, or set {TARGET_VARIABLE}")
        return text
    if has_token(argument):
        complain(
            f"warning: a token in the arguments can be seen by every user of this machine: use - or {TARGET_VARIABLE}"
        )
    return argument
