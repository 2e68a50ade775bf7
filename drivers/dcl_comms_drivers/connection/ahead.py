"""What is slow once in a process, and done in a thread before a loop needs it: imports, the engine, TLS's authorities.

Importing what sockets need takes 25 ms, LiveKit 200 ms.  In the loop's own thread all else would stand still meanwhile;
in another it goes on, with pauses of a few milliseconds.  Python has no quicker way to do it, so it is begun when it is
known that it will be needed, and not before.
"""

from __future__ import annotations

import gc
import threading
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import TYPE_CHECKING, Final

from dcl_comms_core.adapters.connection_string import LiveKitAdapter, SimulatorAdapter, WsRoomAdapter
from dcl_comms_core.codec.choice import twin
from dcl_comms_core.identity.login import AuthIdentity
from dcl_comms_drivers.livekit.choice import load_livekit
from dcl_comms_drivers.livekit.errors import EngineUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from dcl_comms_core.adapters.connection_string import Adapter
    from dcl_comms_drivers.livekit.choice import LiveKitVia
    from dcl_comms_drivers.loops.host import WaitingHost
    from dcl_comms_drivers.settings import Options

    Step = tuple[Callable[..., object], *tuple[object, ...]]
    """A function that takes long once, and its arguments."""

__all__ = ["Ahead", "for_livekit", "for_requests", "for_room", "needed_by", "ready", "take_steps"]

_WHEEL: Final = ("numpy", "google.protobuf.descriptor_pb2", "livekit.rtc")

_TWIN: Final[Step] = (twin,)
"""What the native codec leaves the unusual to: the first broken packet would hold the loop for these imports."""

_done: set[Step] = set()


class Ahead:
    """Steps that are taken in a thread, which calls ``then`` when it is through with them."""

    def __init__(self, steps: tuple[Step, ...], then: Callable[[], None]) -> None:
        self.over = False
        """Whether it is through."""
        self._steps = steps
        self._then = then
        threading.Thread(target=self._run, name="dcl-comms ahead").start()

    def _run(self) -> None:
        try:
            with _no_collections():
                for step in self._steps:
                    # What goes wrong is raised to whoever needs it and does it again, or does without.
                    with suppress(Exception):
                        step[0](*step[1:])
                        _done.add(step)
                    gc.collect(0)
        finally:
            self.over = True
            self._then()


@contextmanager
def _no_collections() -> Generator[None]:
    """No whole garbage collection, which so many new objects would provoke although none of them is garbage.

    It holds all threads for the 15-25 ms that it takes to look at every object of the process.  One of the new objects
    alone, after each step, takes 1-5 ms.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def ready(steps: tuple[Step, ...]) -> bool:
    """Whether nothing of it takes long any more."""
    return _done.issuperset(steps)


async def take_steps(host: WaitingHost, steps: tuple[Step, ...]) -> None:
    """Have steps taken, while the loop goes on.  Raises nothing of theirs."""
    if not ready(steps):
        signal = host.signal()
        ahead = Ahead(steps, lambda: host.wake(signal.notify))
        while not ahead.over:
            await signal.wait()


def needed_by(where: str | Adapter, options: Options) -> tuple[Step, ...]:
    """What a connection to a realm's URL, or to a room, begins with."""
    if isinstance(where, LiveKitAdapter):
        return for_room(options)
    if isinstance(where, SimulatorAdapter):
        return ()
    signs = options.wallet is not None and not isinstance(options.wallet, AuthIdentity)
    # A realm in the clear may have rooms that are not.
    in_the_clear = isinstance(where, WsRoomAdapter) and where.url.startswith("ws:")
    steps = [*for_requests(own_tls=options.net.tls is not None or in_the_clear)]
    if signs:
        steps.append((_load_wallet,))
    if not isinstance(where, WsRoomAdapter):
        steps.append((_load_world,))
        if options.pulse is not None:
            steps.append((_load_pulse,))
    return tuple(steps)


def for_room(options: Options) -> tuple[Step, ...]:
    """What LiveKit's first room needs, with the engine that the options choose."""
    if options.own_engine:
        return (*for_requests(own_tls=options.net.tls is not None), (_load_rtc,))
    return for_livekit(options.livekit)


def for_livekit(via: LiveKitVia | None) -> tuple[Step, ...]:
    """What LiveKit's first room needs: what the wheel will import, in parts, and then the link."""
    return *((_load, part) for part in _WHEEL), (load_livekit, via), _TWIN


def for_requests(*, own_tls: bool) -> tuple[Step, ...]:
    """What requests and WebSockets need; ``own_tls``: not this machine's certificate authorities."""
    return ((_load_net,), *(() if own_tls else ((_load_authorities,),)), _TWIN)


def _load(module: str) -> None:
    with suppress(ImportError):
        import_module(module)


def _load_rtc() -> object:
    from dcl_comms_drivers.livekit.rtc.link import load_peer  # noqa: PLC0415 - a package of its own

    try:
        return load_peer()
    except EngineUnavailable:
        return None  # told where it is opened


def _load_net() -> object:
    from dcl_comms_drivers.net.link import NetLink  # noqa: PLC0415 - the extra

    # TLS writes names with it, and it is loaded at first use.
    return NetLink, "x".encode("idna")


def _load_authorities() -> None:
    from dcl_comms_drivers.net.dial import default_tls  # noqa: PLC0415 - it is loaded by now

    default_tls()


def _load_world() -> object:
    from dcl_comms_core.world.session import WorldSession  # noqa: PLC0415 - a room alone needs none

    return WorldSession


def _load_pulse() -> object:
    from dcl_comms_core.pulse.session import PulseSession  # noqa: PLC0415 - not every realm has it

    # Realms' names are measured in it, and it is loaded at first use.
    return PulseSession, "x".encode("utf-16-le")


def _load_wallet() -> object:
    from dcl_comms_drivers.wallet import log_in  # noqa: PLC0415 - the extra

    return log_in
