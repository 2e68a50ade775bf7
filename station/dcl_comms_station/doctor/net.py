"""The network of the loop in use, from the drivers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dcl_comms_drivers.loops.network import Net

__all__ = ["get_net"]


def get_net(loop: str) -> Net:
    """The one for the loop of that name, which is running."""
    if loop == "trio":
        from dcl_comms_drivers.loops.on_trio import TrioNet  # noqa: PLC0415 - each loop, only where it is used

        return TrioNet()
    from dcl_comms_drivers.loops.on_asyncio import AsyncioNet  # noqa: PLC0415

    return AsyncioNet()
