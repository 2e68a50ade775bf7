"""The way to a server that somebody else connects to: LiveKit's engine resolves names by itself.

Before it does, the addresses of the server are judged here, as those of every URL are.  And where the engine can't or
must not go by itself it is sent to a port on loopback, behind which is a connection of ours (see ``forwarder``): with
``tls=`` of the settings, because it knows only this machine's certificate authorities, and where it would go through a
proxy of the environment's.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from dcl_comms_core.adapters.url_guard import Target
from dcl_comms_core.errors import RequestFailed, TargetRefused
from dcl_comms_core.states import CloseReason
from dcl_comms_drivers.loops.net_thread import ThreadRunner
from dcl_comms_drivers.net.dial import judge
from dcl_comms_drivers.net.forwarder import Forwarder
from dcl_comms_drivers.net.proxies import https_proxy, spare_loopback

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.adapters.url_guard import Place
    from dcl_comms_drivers.loops.network import Net, Runner, Task
    from dcl_comms_drivers.net.dial import NetOptions

    Found = Callable[[str], None]
    Refused = Callable[[CloseReason, str], None]

__all__ = ["Approach"]


class Approach:
    """Finds the way to one server after the other.  ``runner`` gives the network that names are resolved in."""

    def __init__(self, runner: Callable[[], Runner], options: NetOptions) -> None:
        self._new_runner = runner
        self._options = options
        self._runner: Runner | None = None
        self._judging: Task | None = None
        self._thread: ThreadRunner | None = None
        self._forwarders: dict[tuple[str, Place | None], Forwarder] = {}

    def look(self, url: str, within: Place | None, found: Found, refused: Refused) -> None:
        """Have ``found`` called with the URL to connect to, or ``refused``: now, or later and from any thread."""
        spare_loopback()
        try:
            target = Target.of_websocket(url)
            target.check(within=within, plain=self._options.plain)
        except TargetRefused as error:
            refused(CloseReason.FORBIDDEN, str(error))
            return
        if target.secure and self._thread is None and (self._options.tls is not None or https_proxy()):
            self._thread = ThreadRunner()
        if within is None and (target.secure or self._options.plain):
            # Named by the user, and encrypted or asked for: it may be anywhere.
            self._go(target, url, within, found, refused)
            return
        if self._runner is None:
            self._runner = self._new_runner()
        self._runner.call(partial(self._judge, target, url, within, found, refused))

    def close(self) -> None:
        """Let go; what is forwarded ends when its ends leave.  May be called again."""
        runner, self._runner = self._runner, None
        if runner is not None:
            runner.call(self._stop_judging)
            runner.stop()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.call(partial(self._linger, thread))

    # --- in the runner's thread

    def _judge(self, target: Target, url: str, within: Place | None, found: Found, refused: Refused, net: Net) -> None:
        async def work() -> None:
            try:
                await judge(net, target, within=within, options=self._options)
            except TargetRefused as error:
                refused(CloseReason.FORBIDDEN, str(error))
            except RequestFailed as error:
                refused(error.reason, error.detail)
            else:
                self._go(target, url, within, found, refused)

        self._judging = net.spawn(work)

    def _stop_judging(self, _: Net) -> None:
        if self._judging is not None:
            self._judging.cancel()

    def _go(self, target: Target, url: str, within: Place | None, found: Found, refused: Refused) -> None:
        if self._thread is None or not target.secure:
            found(url)
        else:
            self._thread.call(partial(self._forward, target, url, within, found, refused))

    # --- in the thread of the forwarders

    def _forward(
        self, target: Target, url: str, within: Place | None, found: Found, refused: Refused, net: Net
    ) -> None:
        async def work() -> None:
            known = self._forwarders.get((url, within))
            if known is None:
                known = self._forwarders[url, within] = Forwarder(net, target, within, self._options)
                await known.open()
            try:
                await known.reach()
            except TargetRefused as error:
                refused(CloseReason.FORBIDDEN, str(error))
            except RequestFailed as error:
                refused(error.reason, error.detail)
            else:
                found(known.url)

        net.spawn(work)

    def _linger(self, thread: ThreadRunner, net: Net) -> None:
        async def work() -> None:
            for forwarder in self._forwarders.values():
                await forwarder.close()
            thread.stop()

        net.spawn(work)
