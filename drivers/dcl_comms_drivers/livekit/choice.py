"""Which link to LiveKit is used: our own engine's, for data, or one of the two over the livekit package.

Our own (``engine="rtc"``) needs ``dcl_comms_rtc``; where that is installed and no tracks are wanted, it is used by
itself.  Of the other two:

The engine's, over the wheel's private interface, is faster and works on every loop; ``ffi`` knows which wheels it
fits.  The SDK's, over ``livekit.rtc``, fits any wheel.  Unless one of them is asked for, the engine's is used, and an
asyncio program whose wheel ``ffi`` does not know gets the SDK's, with a warning.
"""

from __future__ import annotations

import os
import warnings
from enum import Enum
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_drivers.livekit.errors import EngineProblem, EngineUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.limits import Limits
    from dcl_comms_drivers.livekit.base import Way
    from dcl_comms_drivers.livekit.engine.link import LiveKitLink
    from dcl_comms_drivers.livekit.sdk.link import SdkLink

__all__ = [
    "ENGINE_VARIABLE",
    "VARIABLE",
    "EngineChoice",
    "LiveKitVia",
    "RoomEngine",
    "SdkFallbackWarning",
    "choose_engine",
    "default_engine",
    "has_rtc",
    "load_livekit",
    "open_livekit",
]

VARIABLE: Final = "DCL_COMMS_LIVEKIT"
"""The environment variable that decides where the program does not."""
ENGINE_VARIABLE: Final = "DCL_COMMS_ENGINE"
"""The same for the engine."""


def _is_there(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:  # somebody's importer refuses it
        return False


HAS_PACKAGE: Final = _is_there("livekit")
"""Looked for once: whoever connects has a loop that waits."""


class LiveKitVia(Enum):
    """How to reach LiveKit."""

    AUTO = "auto"
    """The engine; the SDK where a program on asyncio has a wheel that the engine's link does not know."""
    ENGINE = "engine"
    """The engine, or EngineUnavailable."""
    SDK = "sdk"
    """The official SDK, in a thread of its own."""


class RoomEngine(Enum):
    """What carries LiveKit rooms."""

    AUTO = "auto"
    """RTC where it is installed and ``subscribe`` is Subscribe.NONE, or nothing else is there; else LIVEKIT.

    Where datagrams don't reach a server, it is joined by LIVEKIT after all, with a Warning, and so is that server from
    then on.
    """
    RTC = "rtc"
    """Our own, for data: no sound, no pictures, no thread."""
    LIVEKIT = "livekit"
    """The livekit package's; ``livekit=`` says how it is reached."""


def has_rtc() -> bool:
    """Whether our own engine is installed."""
    return _is_there("dcl_comms_rtc")


class EngineChoice(NamedTuple):
    """Which engine carries a room, and why."""

    engine: RoomEngine
    """RTC or LIVEKIT."""
    why: str


def choose_engine(asked: RoomEngine, *, tracks: bool, silent: bool = False) -> EngineChoice:
    """Which engine a room gets.  ``tracks``: some may be wanted; ``silent``: no datagram reached its server before."""
    if asked is not RoomEngine.AUTO:
        return EngineChoice(asked, "it was asked for")
    if tracks and not HAS_PACKAGE and has_rtc():
        return EngineChoice(RoomEngine.RTC, "the livekit package is not installed: there are no tracks")
    if tracks:
        return EngineChoice(RoomEngine.LIVEKIT, "tracks may be wanted: subscribe is not Subscribe.NONE")
    if not has_rtc():
        return EngineChoice(RoomEngine.LIVEKIT, "dcl_comms_rtc is not installed")
    if silent:
        return EngineChoice(RoomEngine.LIVEKIT, "no datagram reached this server before")
    return EngineChoice(RoomEngine.RTC, "dcl_comms_rtc is installed, and no tracks are wanted")


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


def default_engine() -> RoomEngine:
    """What carries LiveKit rooms where the program does not say.  LocalProtocolError: the environment says neither."""
    return _of_environment(ENGINE_VARIABLE, RoomEngine)


def _from_environment() -> LiveKitVia:
    return _of_environment(VARIABLE, LiveKitVia)


_Choice = TypeVar("_Choice", LiveKitVia, RoomEngine)


def _of_environment(variable: str, kind: type[_Choice]) -> _Choice:
    text = os.environ.get(variable) or kind.AUTO.value
    try:
        return kind(text)
    except ValueError:
        msg = f"{variable}={text!r}: it may be {', '.join(one.value for one in kind)}"
        raise LocalProtocolError(msg) from None
