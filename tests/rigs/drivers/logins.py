"""Logins that were made elsewhere, in files as the sign-in keeps them."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING

from dcl_comms_drivers.wallet.ethereum import EthereumKey

from dcl_comms_core import login_payload

if TYPE_CHECKING:
    from pathlib import Path

    from dcl_comms_drivers.wallet import LocalWallet


def login(wallet: LocalWallet, file: Path, seconds: float) -> str:
    """Write one that lasts so long from now; returns its key's digits."""
    key = EthereumKey.generate()
    text = login_payload(key.address, time.time() + seconds)
    links = [
        {"type": "SIGNER", "payload": wallet.address, "signature": ""},
        {"type": "ECDSA_EPHEMERAL", "payload": text, "signature": asyncio.run(wallet.sign(text))},
    ]
    file.touch(mode=0o600)
    file.write_text(json.dumps({"ephemeralIdentity": {"privateKey": key.reveal()}, "authChain": links}))
    return key.reveal()[2:]
