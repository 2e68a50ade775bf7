"""Logins that were made elsewhere: what Decentraland's auth server and single sign-on keep of one, as JSON.

::

    {"ephemeralIdentity": {"address": "0x...", "publicKey": "0x...", "privateKey": "0x..."},
     "expiration": "2026-12-31T00:00:00.000Z",
     "authChain": [{"type": "SIGNER", ...}, {"type": "ECDSA_EPHEMERAL", ...}]}

An ``identity`` or ``authIdentity`` around it is looked through; what else stands there is ignored, ``expiration`` too,
as the login's own text says until when it lasts.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, cast

from dcl_comms_core.errors import InvalidAuthChain, LocalProtocolError
from dcl_comms_core.identity.auth_chain import AuthChain, canonical_signature
from dcl_comms_core.identity.login import AuthIdentity
from dcl_comms_core.limits import DEFAULT_LIMITS
from dcl_comms_core.tools.json_text import json_object
from dcl_comms_drivers.wallet.ethereum import EthereumKey
from dcl_comms_drivers.wallet.key_file import KeyFileRefused, read_private
from dcl_comms_drivers.wallet.wallets import LocalWallet, is_signed_by

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping

    from dcl_comms_core.identity.auth_chain import ContractCheck

__all__ = ["load_wallet", "read_identity"]

_AROUND: Final = ("identity", "authIdentity")


def read_identity(
    document: str | bytes | Mapping[str, object],
    *,
    contract: Callable[[ContractCheck], bool | None] | None = None,
) -> AuthIdentity:
    """Make an identity of a login that was made elsewhere, its key included: handle the text as that key itself.

    The wallet's signature is checked, a contract wallet's only if ``contract`` can tell.  Whether it has expired shows
    ``identity.check(unix_now=...)``, and ``connect`` finds out.

    Raises LocalProtocolError: this is no such document, or its parts do not belong together; InvalidAuthChain: its
    chain is none.  Neither repeats any part of it.
    """
    found = _object(document)
    for name in _AROUND:
        within = found.get(name)
        if isinstance(within, dict):
            found = cast("dict[str, object]", within)
    ephemeral, links = found.get("ephemeralIdentity"), found.get("authChain")
    secret = cast("dict[str, object]", ephemeral).get("privateKey") if isinstance(ephemeral, dict) else None
    if not isinstance(secret, str) or not isinstance(links, list):
        raise _no_identity("it has no ephemeralIdentity.privateKey, or no authChain")
    chain = _chain(cast("list[object]", links))
    identity = AuthIdentity.from_chain(chain, signer=EthereumKey(secret))
    login = chain.links[1]
    # The identity was made of it, so it is one.
    signature = canonical_signature(login.signature) or ""
    if not is_signed_by(chain.address, login.payload.replace("\r", ""), signature, contract):
        raise _no_identity("its login is not signed by the wallet that it names")
    return identity


def load_wallet(path: str | os.PathLike[str]) -> LocalWallet | AuthIdentity:
    """Read who to be from a file: a key, as ``LocalWallet.load`` reads it, or a login that was made elsewhere.

    Raises KeyFileRefused: others may read or write it, it is somebody else's, a symbolic link, no regular file, or
    holds neither; OSError: it can't be read.
    """
    held = read_private(path, DEFAULT_LIMITS.auth_chain_chars + 1).strip()
    if not held.startswith(b"{"):
        return LocalWallet.load(path)
    try:
        return read_identity(held)
    except (LocalProtocolError, InvalidAuthChain) as error:
        why = str(error)
    raise KeyFileRefused(f"what this file holds is neither a key nor a login: {why}")


def _object(document: str | bytes | Mapping[str, object]) -> Mapping[str, object]:
    if not isinstance(document, str | bytes):
        return document
    found = json_object(document, DEFAULT_LIMITS.auth_chain_chars, DEFAULT_LIMITS.nesting)
    if found is None:
        raise _no_identity("it is not JSON")
    return found


def _chain(links: list[object]) -> AuthChain:
    try:
        text = json.dumps(links)
    except (TypeError, ValueError, RecursionError):
        raise _no_identity("its authChain is none") from None
    return AuthChain.from_json(text)


def _no_identity(why: str) -> LocalProtocolError:
    return LocalProtocolError(f"this is not a login as Decentraland's sign-in keeps one: {why}")
