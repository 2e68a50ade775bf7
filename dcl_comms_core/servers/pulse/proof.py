"""What a handshake proves: JSON text with the headers of a signed request, for the method "connect" and the path "/".

As the real server judges it: names of headers in any case, metadata verbatim, and no look at how old the timestamp is;
the same handshake is not accepted again for a while instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from dcl_comms_core.errors import AuthChainProblem, InvalidAuthChain
from dcl_comms_core.identity.auth_chain import AuthChain
from dcl_comms_core.identity.signed_request import link_texts
from dcl_comms_core.tools.json_text import json_object

if TYPE_CHECKING:
    from dcl_comms_core.identity.auth_chain import Verifier
    from dcl_comms_core.limits import Limits

__all__ = ["Proof", "Repeats", "read_proof"]

_SIGNATURES: Final = frozenset({AuthChainProblem.WRONG_SIGNER, AuthChainProblem.BAD_SIGNATURE})
_FORMS: Final = frozenset({AuthChainProblem.WRONG_PAYLOAD, AuthChainProblem.BAD_ORDER})


class Proof(NamedTuple):
    """Somebody has proved who it is."""

    wallet: str
    """In lower case."""
    session: str
    """The address of the key that signed, in lower case."""
    timestamp: str


def read_proof(chain: bytes, *, unix_now: float, verifier: Verifier, limits: Limits) -> Proof | str:
    """Find out who shakes hands, or why that is not proved.  Raises nothing, whatever was sent."""
    document = json_object(chain, limits.auth_chain_chars, limits.nesting)
    if document is None or not all(isinstance(value, str) for value in document.values()):
        return "Invalid auth chain JSON"
    headers = {key.lower(): str(value) for key, value in document.items()}
    links = link_texts(headers)
    if not links:
        return "No x-identity-auth-chain-* headers found."
    timestamp, metadata = (headers.get(f"x-identity-{name}", "") for name in ("timestamp", "metadata"))
    try:
        signed = AuthChain.from_json(f"[{','.join(links)}]", limits=limits)
        wallet = signed.validate(f"connect:/:{timestamp}:{metadata}", unix_now=unix_now, verifier=verifier)
    except InvalidAuthChain as error:
        if error.problem in _SIGNATURES:
            return "Invalid signature for final payload."
        if error.problem in _FORMS:
            return "Final link rejected by policy."
        return f"Invalid auth chain: {error.problem.value}"
    return Proof(wallet, signed.authority, timestamp)


class Repeats:
    """The handshakes that were accepted of late; at ``pulse_replays`` further ones are not remembered."""

    def __init__(self, seconds: float, limits: Limits) -> None:
        self._seconds = seconds
        self._most = limits.pulse_replays
        self._seen: dict[tuple[str, str], float] = {}
        """When each may be forgotten, the first to be forgotten first."""

    def is_first(self, proof: Proof, now: float) -> bool:
        """Whether this one was not accepted yet; then it is now."""
        while self._seen:
            oldest, until = next(iter(self._seen.items()))
            if until > now:
                break
            del self._seen[oldest]
        key = proof.wallet, proof.timestamp
        if key in self._seen:
            return False
        if len(self._seen) < self._most:
            self._seen[key] = now + self._seconds
        return True
