"""The handshake from its other end: a client says who it is, gets a challenge, and proves it by signing that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dcl_comms_core.errors import InvalidAuthChain, LocalProtocolError
from dcl_comms_core.identity.auth_chain import AuthChain
from dcl_comms_core.states import Stage
from dcl_comms_core.tools.addresses import ADDRESS
from dcl_comms_core.tools.prng import Prng

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.identity.auth_chain import Verifier
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.servers.sockets import Client, Sockets

__all__ = ["Challenges"]

_LETTERS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_CHALLENGE_LETTERS: Final = 11


class Challenges:
    """Asks each client for a proof, and hangs up on those who have none.

    ``frame``: makes the message that holds a challenge, and says whether that wallet is connected already.  ``known``:
    is it.  ``welcome``: gets a client that proved who it is, to let it in or not.  ``denied``: who is hung up on.
    """

    __slots__ = ("_denied", "_frame", "_known", "_limits", "_prng", "_sockets", "_verifier", "_welcome")

    def __init__(
        self,
        sockets: Sockets,
        *,
        frame: Callable[[str, bool], bytes],
        known: Callable[[Client, str], bool],
        welcome: Callable[[Client], None],
        denied: Callable[[str], bool],
        verifier: Verifier,
        limits: Limits,
        entropy: int,
    ) -> None:
        self._sockets = sockets
        self._frame = frame
        self._known = known
        self._welcome = welcome
        self._denied = denied
        self._verifier = verifier
        self._limits = limits
        self._prng = Prng(entropy)

    def identified(self, client: Client, address: str) -> None:
        """A client said who it is."""
        if client.stage is not Stage.IDENTIFYING:
            self._sockets.refuse(client, "stage")
        elif not ADDRESS.fullmatch(address):
            self._sockets.refuse(client, "address")
        else:
            client.challenge = self._challenge()
            self._sockets.step(client, Stage.PROVING)
            self._sockets.send(client, self._frame(client.challenge, self._known(client, address.lower())))

    def proved(self, client: Client, chain: str) -> None:
        """A client gave a signed challenge.  LocalProtocolError: there is no wall clock to judge it by."""
        sockets = self._sockets
        if client.stage is not Stage.PROVING:
            sockets.refuse(client, "stage")
            return
        unix_now = sockets.clock.unix_now()
        if unix_now is None:
            msg = "a server needs the wall clock: receive(ClockSet(unix_offset=...)) first"
            raise LocalProtocolError(msg)
        try:
            signed = AuthChain.from_json(chain, limits=self._limits)
            address = signed.validate(client.challenge, unix_now=unix_now, verifier=self._verifier)
        except InvalidAuthChain:
            sockets.refuse(client, "chain")
            return
        if self._denied(address):
            sockets.refuse(client, "denied")
            return
        # As the real ones: whoever the chain speaks for, whatever was said before.
        client.address, client.session = address, signed.authority
        self._welcome(client)

    def _challenge(self) -> str:
        letters = (_LETTERS[int(self._prng.unit() * len(_LETTERS))] for _ in range(_CHALLENGE_LETTERS))
        return "dcl-0." + "".join(letters)
