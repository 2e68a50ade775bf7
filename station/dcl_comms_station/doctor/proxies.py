"""What is said where a proxy may be the only way out: that there is one, and that it is not used."""

from __future__ import annotations

import os

from dcl_comms_drivers.net.proxies import VARIABLES

__all__ = ["with_proxies"]


def with_proxies(advice: str) -> str:
    """Advice for a server that is not reached, with the names of the environment's proxies."""
    names = [name for variable in VARIABLES for name in (variable, variable.lower()) if os.environ.get(name)]
    if not names:
        return advice
    return f"{advice}; a proxy is named here ({', '.join(names)}) and not used: the server has to be reached without it"
