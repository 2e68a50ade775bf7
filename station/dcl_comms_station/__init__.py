"""The Comms Station: the ``dcl-comms`` command.

``entry`` is the console script, ``cli`` the commands; the rest does the work and knows nothing of click.  Every exit
code is in ``exits``, and every text that came from a peer goes through ``clean`` before it reaches a terminal.

``watch(room, tap)`` is the Station's page for a program's own room: see ``web/watch.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dcl_comms_station.web.watch import watch

__all__ = ["watch"]


def __getattr__(name: str) -> object:
    if name == "watch":
        # The server's packages are of an extra, and the commands do without.
        from dcl_comms_station.web.watch import watch  # noqa: PLC0415

        return watch
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
