"""Pulse from its other end: a server without IO, which tells players of each other and forms clusters of them."""

from __future__ import annotations

from dcl_comms_core.servers.pulse.clusters import Assignment, ClusterChanged
from dcl_comms_core.servers.pulse.server import PulsePlayer, PulseServer
from dcl_comms_core.servers.pulse.settings import PulseSettings

__all__ = ["Assignment", "ClusterChanged", "PulsePlayer", "PulseServer", "PulseSettings"]
