"""What a stage of the examination found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from dcl_comms_station.exits import Exit

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["Finding", "Good", "Problem", "Skipped", "Status", "Trial", "verdict"]


class Status(Enum):
    """How a stage ended."""

    OK = "ok"
    WARNING = "warning"
    """It may work all the same, or not for long."""
    FAILED = "failed"
    SKIPPED = "skipped"
    """A stage that it needs failed, or it is not for this kind of target."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One stage's result."""

    stage: str
    status: Status
    detail: str
    fix: str = ""
    """What to do about it; empty when nothing is wrong."""
    seconds: float | None = None
    """How long the stage took; None: it was not run."""
    not_shown: str = ""
    """What this stage, although it went well, says nothing about."""
    exit_code: Exit = Exit.OK


@dataclass(frozen=True, slots=True)
class Good:
    """A stage went well, or with a warning and what to do about it."""

    detail: str
    warning: str = ""
    seconds: float | None = None
    """How long it took, where that is not the time that the stage ran."""
    not_shown: str = ""


class Problem(Exception):
    """A stage failed; carries what is wrong, what to do, and the exit code for it."""

    def __init__(self, exit_code: Exit, detail: str, fix: str) -> None:
        super().__init__(exit_code, detail, fix)
        self.exit_code = exit_code
        self.detail = detail
        self.fix = fix


class Skipped(Exception):
    """A stage that is not for this target."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One stage to be run, and the stages without which it makes no sense."""

    name: str
    run: Callable[[], Awaitable[Good]]
    needs: tuple[str, ...] = ()
    is_limited: bool = True
    """Whether the general limit of time is the stage's; one that has its own does without."""


def verdict(findings: list[Finding]) -> Exit:
    """The exit code of the first stage that failed."""
    return next((finding.exit_code for finding in findings if finding.status is Status.FAILED), Exit.OK)
