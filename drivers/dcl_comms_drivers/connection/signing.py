"""A connection's wallet: one login in the background, and then a signature for whatever the session asks.

A server waits a second for a signed challenge, and a person with a hardware wallet takes a minute.  So the wallet signs
a login before anything is opened, and the login's key, which is in memory, signs what comes.  A login that is nearly
over is renewed when a connection is lost, and at the latest when it is needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from dcl_comms_core.errors import IdentityExpired, LocalProtocolError
from dcl_comms_core.events import Reconnecting, SignatureNeeded
from dcl_comms_core.identity.login import AuthIdentity
from dcl_comms_drivers.loops.mailbox import Mailbox

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.events import Event
    from dcl_comms_core.identity.auth_chain import AuthChain
    from dcl_comms_core.limits import Limits
    from dcl_comms_drivers.loops.network import Net, Runner, Task
    from dcl_comms_drivers.wallet.wallets import Wallet

__all__ = ["Asking", "Logins", "address_of"]


class Asking(Protocol):
    """A session that has things signed."""

    def provide_signature(self, request: int, chain: AuthChain, *, now: float | None = None) -> None:
        """Answer SignatureNeeded."""
        ...


def address_of(wallet: Wallet | AuthIdentity | None, what: str) -> str:
    """Whose wallet it is.  LocalProtocolError: there is none, or it is something else."""
    if wallet is None:
        msg = (
            f"{what} asks who we are: pass wallet=DisposableWallet() to be a guest, or wallet=LocalWallet(key), "
            'both of dcl_comms_drivers.wallet (pip install "dcl-comms[wallet]")'
        )
        raise LocalProtocolError(msg)
    address = getattr(wallet, "address", None)
    if not isinstance(address, str) or not callable(getattr(wallet, "sign", None)):
        msg = f"wallet= takes a wallet (address, async sign(message)) or an AuthIdentity, not {type(wallet).__name__}"
        raise LocalProtocolError(msg)
    return address


class Logins:
    """One wallet at work.  All of it is called in the loop's thread; ``wake`` is called from the net's.

    ``wallet``: a wallet, or a login that somebody made already, which is never renewed.  ``unix_now``: the wall clock.
    """

    def __init__(
        self,
        wallet: Wallet | AuthIdentity,
        runner: Runner,
        wake: Callable[[], None],
        unix_now: Callable[[], float],
        limits: Limits,
    ) -> None:
        self._wallet = None if isinstance(wallet, AuthIdentity) else wallet
        self._identity = wallet if isinstance(wallet, AuthIdentity) else None
        self._runner = runner
        self._unix_now = unix_now
        self._limits = limits
        self._answers: Mailbox[AuthIdentity | Exception] = Mailbox(wake, _forget)
        self._under_way = False
        self._abandoned = False
        self._asked: list[SignatureNeeded] = []
        self._task: Task | None = None
        """The net's."""

    def ready(self) -> bool:
        """Whether there is a login that lasts; if not, one is on its way.  Raises what the wallet raised."""
        self._answers.begin()
        while (answer := self._answers.get()) is not None:
            self._under_way = False
            if isinstance(answer, Exception):
                raise answer
            self._identity = answer
        if self._under_way or self._abandoned:
            return False
        if self._identity is not None:
            try:
                self._identity.check(unix_now=self._unix_now(), limits=self._limits)
            except IdentityExpired:
                if self._wallet is None:
                    raise
            else:
                return True
        self._under_way = True
        self._runner.call(self._begin)
        return False

    def take(self, events: list[Event]) -> list[Event]:
        """Keep what is to be signed; returns the other events."""
        kinds = {type(event) for event in events}
        if Reconnecting in kinds:
            self.ready()
        if SignatureNeeded not in kinds:
            return events
        self._asked += [event for event in events if isinstance(event, SignatureNeeded)]
        return [event for event in events if not isinstance(event, SignatureNeeded)]

    def answer(self, session: Asking, now: float) -> None:
        """Sign what was asked for, if there is a login.  Raises what the wallet raised."""
        if self._asked and self.ready():
            asked, self._asked = self._asked, []
            identity = self._identity
            assert identity is not None  # noqa: S101 - we are ready
            for event in asked:
                session.provide_signature(event.request, identity.sign(event.payload), now=now)

    def abandon(self) -> None:
        """Ask nothing more of the wallet: a session that is left to itself may still have its turns."""
        self._abandoned = True
        self._answers.close()
        self._runner.call(self._cancel)

    # --- in the net's thread

    def _begin(self, net: Net) -> None:
        self._task = net.spawn(self._log_in)

    async def _log_in(self) -> None:
        from dcl_comms_drivers.wallet.wallets import log_in  # noqa: PLC0415 - the extra

        assert self._wallet is not None  # noqa: S101 - a login that was given is not renewed
        try:
            self._answers.put(await log_in(self._wallet, clock=self._unix_now))
        except Exception as error:  # noqa: BLE001 - the wallet's, and raised to whoever waits for it
            self._answers.put(error)

    def _cancel(self, _: Net) -> None:
        if self._task is not None:
            self._task.cancel()


def _forget(_: object) -> None:
    """What becomes of a login that comes too late."""
