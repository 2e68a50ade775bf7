"""A wallet's address as text."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["ADDRESS"]

ADDRESS: Final = re.compile(r"0[xX][0-9a-fA-F]{40}")
"""``0x`` and 40 hex digits, for ``fullmatch``; what servers tell may begin with ``0X``."""
