"""What went through a session, to be run again."""

from __future__ import annotations

from dcl_comms_core.journal.record import Difference, Journal, Replay

__all__ = ["Difference", "Journal", "Replay"]
