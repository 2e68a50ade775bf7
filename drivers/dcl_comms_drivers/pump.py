"""What a driver of your own needs: the pump, and the protocols of what it turns.  See docs/driver.md."""

from __future__ import annotations

from dcl_comms_drivers.loops.host import Host, Link, Receiver, Session
from dcl_comms_drivers.loops.pump import Pump

__all__ = ["Host", "Link", "Pump", "Receiver", "Session"]
