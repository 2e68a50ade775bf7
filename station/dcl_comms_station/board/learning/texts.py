"""What each input, command, event and packet means to somebody who learns: one text for each, held by a test."""

from __future__ import annotations

from typing import Final

from dcl_comms_station.board.learning.commands import COMMANDS
from dcl_comms_station.board.learning.events import EVENTS
from dcl_comms_station.board.learning.inputs import INPUTS
from dcl_comms_station.board.learning.packets import PACKETS
from dcl_comms_station.board.learning.text import CHAPTERS, Text

__all__ = ["CHAPTERS", "PACKET_TEXTS", "TEXTS", "Text"]

TEXTS: Final[dict[type, Text]] = INPUTS | COMMANDS | EVENTS
"""By the class of an input, a command or an event."""
PACKET_TEXTS: Final[dict[str | None, Text]] = PACKETS
"""By the kind of a packet."""
