"""Which engine carries a room of LiveKit's, and why; whether it is there, and is a version that we know."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Final

from dcl_comms_drivers.livekit.choice import ENGINE_VARIABLE, RoomEngine, choose_engine, default_engine, has_rtc
from dcl_comms_drivers.livekit.errors import EngineProblem, EngineUnavailable

from dcl_comms_station.clean import clean
from dcl_comms_station.doctor.findings import Good, Problem
from dcl_comms_station.exits import Exit

if TYPE_CHECKING:
    from dcl_comms_core.adapters.connection_string import LiveKitAdapter

__all__ = ["CHANGED", "OWN", "carried_by", "start_engine", "version_of"]

OWN: Final = "rtc"
"""The link of our own engine, as ``connection.stats`` names it."""
_CARRIED: Final = {
    OWN: ", by our own engine",
    "engine": ", by the livekit package's engine",
    "sdk": ", by the livekit package",
}
CHANGED: Final = (
    "no datagram reaches the server by our own engine: let UDP to it pass the firewalls in between, give the server a "
    f"TCP port, or set {ENGINE_VARIABLE}=livekit, which saves the time of the attempt"
)
_INSTALL: Final = 'pip install "dcl-comms[livekit]"'


def carried_by(link: str) -> str:
    """What carries a room, as the end of a sentence; nothing where there is no choice."""
    return _CARRIED.get(link, "")


def start_engine(adapter: LiveKitAdapter) -> tuple[bool, Good]:
    """Choose as ``connect`` does for a visit without tracks, and start what is chosen.  True: it is our own engine."""
    asked = default_engine()
    choice = choose_engine(asked, tracks=False, silent=_was_silent(adapter))
    why = f"{ENGINE_VARIABLE} asks for it" if asked is not RoomEngine.AUTO else choice.why
    if choice.engine is RoomEngine.LIVEKIT:
        return False, Good(f"livekit {_start_package()}: {why}")
    if not has_rtc():
        problem = EngineUnavailable(EngineProblem.NO_RTC)
        raise Problem(Exit.USAGE, str(problem), f"from a checkout: make rtc; or set {ENGINE_VARIABLE}=livekit")
    other = version_of("livekit")
    media = f"livekit {other}" if other else f"the livekit package, which is not installed: {_INSTALL}"
    return True, Good(f"rtc {version_of('dcl_comms_rtc')}: {why}; for sound and pictures, {media}")


def _was_silent(adapter: LiveKitAdapter) -> bool:
    from dcl_comms_drivers.livekit.rtc.auto import was_silent  # noqa: PLC0415 - with our own engine

    return has_rtc() and was_silent(adapter)


def _start_package() -> str:
    """Start the package's native library; gives its version."""
    try:
        from dcl_comms_drivers.livekit.engine.engine import Engine  # noqa: PLC0415 - looks at the wheel

        Engine.get()
    except EngineUnavailable as error:
        unknown = error.problem is EngineProblem.UNKNOWN_WHEEL
        fix = "install the version that we ask for: " if unknown else ""
        raise Problem(Exit.USAGE, clean(str(error), limit=300), f"{fix}{_INSTALL}") from None
    return version_of("livekit")


def version_of(package: str) -> str:
    """The version that is installed; empty: none is."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
