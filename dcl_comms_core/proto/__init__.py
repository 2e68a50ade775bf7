"""Message classes: ``rfc4`` (packets), ``rfc5`` (ws-rooms), ``v3`` (Archipelago), ``pulse``, ``livekit`` (signalling).

``TABLES`` are all of them with their fields.  They read and write bytes through ``dcl_comms_core.codec``, which tells
them of itself when the package is imported.
"""

from __future__ import annotations

from dcl_comms_core.proto._gen import common, livekit, pulse, rfc4, rfc5, v3
from dcl_comms_core.proto._gen.tables import TABLES
from dcl_comms_core.proto.base import WireMessage
from dcl_comms_core.proto.fields import Field, MessageTable

__all__ = ["TABLES", "Field", "MessageTable", "WireMessage", "common", "livekit", "pulse", "rfc4", "rfc5", "v3"]
