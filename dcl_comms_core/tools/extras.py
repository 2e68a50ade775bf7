"""What is said where a package of an extra is not installed: its name, and what installs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcl_comms_core.errors import ExtraMissing

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["needs"]


class needs:  # noqa: N801 - reads as a statement
    """``with needs("net"): import h11``: raises ExtraMissing where Python has a ModuleNotFoundError."""

    def __init__(self, extra: str) -> None:
        self._extra = extra

    def __enter__(self) -> None:
        """Nothing to begin."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, ModuleNotFoundError) and not isinstance(error, ExtraMissing):
            raise ExtraMissing(error.name or "a package", self._extra) from error
