"""Where libraries log that would write down secrets."""

from __future__ import annotations

import logging
from typing import Final

__all__ = ["UNHEARD"]

UNHEARD: Final = logging.Logger("websockets, unheard", logging.ERROR)  # noqa: LOG001 - nobody's settings shall turn it on
"""websockets would log frames, and with them auth chains and tokens."""
