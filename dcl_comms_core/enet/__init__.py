"""ENet, from datagrams to messages: a client and a host without IO.

Usable by itself: datagrams and ``now`` go in, datagrams, events and a deadline come out.  It speaks with stock ENet 1.3
and with the fork that Pulse links; compression, checksums and bandwidth limits are not in it.
"""

from __future__ import annotations

from dcl_comms_core.enet.client import EnetClient
from dcl_comms_core.enet.counts import EnetCounts
from dcl_comms_core.enet.delivery import Delivery, EnetEnd
from dcl_comms_core.enet.host import EnetHost
from dcl_comms_core.enet.options import FORK_FLAG, STOCK_FLAG, EnetOptions
from dcl_comms_core.enet.peer import EnetConnected, EnetDisconnected, EnetEvent, EnetMessage, EnetPeer

__all__ = [
    "FORK_FLAG",
    "STOCK_FLAG",
    "Delivery",
    "EnetClient",
    "EnetConnected",
    "EnetCounts",
    "EnetDisconnected",
    "EnetEnd",
    "EnetEvent",
    "EnetHost",
    "EnetMessage",
    "EnetOptions",
    "EnetPeer",
]
