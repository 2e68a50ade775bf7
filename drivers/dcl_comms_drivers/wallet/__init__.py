"""Wallets: who signs a login.  Keys are in memory and nowhere else, unless you save one: ``wallet.save(path)``.

::

    identity = await log_in(DisposableWallet())           # a guest
    identity = await log_in(LocalWallet(KEY))             # a key of yours
    identity = await log_in(LocalWallet.load("bot.key"))  # one that was saved
    identity = read_identity(text)                        # a login that was made elsewhere
    wallet = load_wallet("bot.key")                       # a file with a key or such a login

A hardware or remote wallet is any object with an ``address`` and an ``async sign(message)``; it may take minutes.
"""

from __future__ import annotations

from dcl_comms_drivers.wallet.elsewhere import load_wallet, read_identity
from dcl_comms_drivers.wallet.key_file import KeyFileRefused
from dcl_comms_drivers.wallet.wallets import LIFETIME_SECONDS, DisposableWallet, LocalWallet, Wallet, log_in, verifier

__all__ = [
    "LIFETIME_SECONDS",
    "DisposableWallet",
    "KeyFileRefused",
    "LocalWallet",
    "Wallet",
    "load_wallet",
    "log_in",
    "read_identity",
    "verifier",
]
