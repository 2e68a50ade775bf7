"""Which of the two links to LiveKit is used.

The engine's, over the wheel's private interface, is faster and works on every loop; ``ffi`` knows which wheels it
fits.  The SDK's, over ``livekit.rtc``, fits any wheel.  Unless one of them is asked for, the engine's is used, and an
asyncio program whose wheel ``ffi`` does not know gets the SDK's, with a warning.
"""

from __future__ import annotations

import os
import warnings
from enum import Enum
from typing import TYPE_CHECKING, Final

from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_drivers.livekit.errors import EngineProblem, EngineUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.limits import Limits
    from dcl_comms_drivers.livekit.base import Way
    from dcl_comms_drivers.livekit.engine.link import LiveKitLink
    from dcl_comms_drivers.livekit.sdk.link import SdkLink

__all__ = ["VARIABLE", "LiveKitVia", "SdkFallbackWarning", "open_livekit"]

VARIABLE: Final = "DCL_COMMS_LIVEKIT"
"""The environment variable that decides where the program does not."""


class LiveKitVia(Enum):
    """How to reach LiveKit."""

    AUTO = "auto"
    """The engine; the SDK where a program on asyncio has a wheel that the engine's link does not know."""
    ENGINE = "engine"
    """The engine, or EngineUnavailable."""
    SDK = "sdk"
    """The official SDK, in a thread of its own."""


class SdkFallbackWarning(RuntimeWarning):
    """The slower link over the SDK is used, because the installed livekit package is not one that we know."""


def open_livekit(
    wake: Callable[[], None],
    via: LiveKitVia | None,
    *,
    falls_back: bool,
    limits: Limits,
    wake_fd: Callable[[], int | None] | None = None,
    way: Way | None = None,
) -> LiveKitLink | SdkLink:
    """Make a link to LiveKit rooms.  ``via=None``: as the environment says.

    ``wake_fd``: see LiveKitLink; ``way``: see RoomLink.
    ``falls_back``: what AUTO means for a wheel that the engine's link does not know.
    Raises EngineUnavailable, which says what to do.
    """
    via = via or _from_environment()
    if via is LiveKitVia.SDK:
        return _sdk(wake, limits, way)
    try:
        from dcl_comms_drivers.livekit.engine.link import LiveKitLink  # noqa: PLC0415 - looks at the wheel
    except EngineUnavailable as error:
        if error.problem is not EngineProblem.UNKNOWN_WHEEL:
            raise
        if via is LiveKitVia.AUTO and falls_back:
            msg = f"{error.detail}: using the slower link over its public interface; {_INSTALL}"
            warnings.warn(msg, SdkFallbackWarning, stacklevel=2)
            return _sdk(wake, limits, way)
        msg = f"{error.detail}; {_INSTALL}, or set {VARIABLE}=sdk for the slower link over its public interface"
        raise EngineUnavailable(error.problem, msg) from None
    return LiveKitLink(
        wake,
        wake_fd,
        inbox_bytes=limits.inbox_bytes,
        rejoin_seconds=limits.rejoin_seconds,
        turn_seconds=limits.turn_seconds,
        way=way,
    )


def load_livekit(via: LiveKitVia | None) -> object:
    """Do what takes long at the first ``open_livekit``: import what it needs, start the engine.  From any thread.

    Raises EngineUnavailable as that does; LocalProtocolError: the environment says something unknown.
    """
    via = via or _from_environment()
    if via is not LiveKitVia.SDK:
        try:
            from dcl_comms_drivers.livekit.engine.engine import Engine  # noqa: PLC0415 - looks at the wheel
            from dcl_comms_drivers.livekit.engine.link import LiveKitLink  # noqa: PLC0415

            return LiveKitLink, Engine.get()
        except EngineUnavailable as error:
            if via is LiveKitVia.ENGINE or error.problem is not EngineProblem.UNKNOWN_WHEEL:
                raise
    from dcl_comms_drivers.livekit.sdk.link import SdkLink  # noqa: PLC0415 - all of the SDK

    return SdkLink


_INSTALL: Final = 'pip install "dcl-comms[livekit]" gets one that fits'


def _sdk(wake: Callable[[], None], limits: Limits, way: Way | None) -> SdkLink:
    from dcl_comms_drivers.livekit.sdk.link import SdkLink  # noqa: PLC0415 - starts nothing, but imports all of the SDK

    return SdkLink(
        wake,
        inbox_bytes=limits.inbox_bytes,
        rejoin_seconds=limits.rejoin_seconds,
        turn_seconds=limits.turn_seconds,
        way=way,
    )


def _from_environment() -> LiveKitVia:
    text = os.environ.get(VARIABLE) or LiveKitVia.AUTO.value
    try:
        return LiveKitVia(text)
    except ValueError:
        msg = f"{VARIABLE}={text!r}: it may be {', '.join(via.value for via in LiveKitVia)}"
        raise LocalProtocolError(msg) from None
