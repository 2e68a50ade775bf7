"""What is said where a package of an extra is not installed."""

from __future__ import annotations

from dcl_comms_core.errors import ExtraMissing
from dcl_comms_core.tools.extras import needs

__all__ = ["ExtraMissing", "needs"]
