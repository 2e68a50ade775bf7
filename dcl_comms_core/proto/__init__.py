"""Message classes of the comms wire: ``rfc4`` (packets between peers), ``rfc5`` (ws-rooms), ``v3`` (Archipelago)."""

from __future__ import annotations

import dcl_comms_core.codec as _codec  # the classes read and write bytes through it
from dcl_comms_core.proto._gen import common, rfc4, rfc5, v3
from dcl_comms_core.proto.base import WireMessage
from dcl_comms_core.proto.fields import Field, MessageTable

_REGISTERED = _codec

__all__ = ["Field", "MessageTable", "WireMessage", "common", "rfc4", "rfc5", "v3"]
