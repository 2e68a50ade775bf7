"""Findings for people and for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dcl_comms_core.printable import clean
from dcl_comms_station.forms import dump

if TYPE_CHECKING:
    from dcl_comms_station.doctor.findings import Finding

__all__ = ["as_json", "as_lines"]

_INDENT: Final = " " * 31


def as_lines(finding: Finding) -> str:
    """How it went, which stage, how long it took, what was found; and below, what to do."""
    took = "" if finding.seconds is None else f"{finding.seconds * 1e3:.1f} ms"
    text = f"{finding.status.value:<8} {finding.stage:<10} {took:>10}  {clean(finding.detail)}"
    for mark, more in (("->", finding.fix), ("not shown:", finding.not_shown)):
        if more:
            text += f"\n{_INDENT}{mark} {clean(more)}"
    return text


def as_json(finding: Finding) -> str:
    """One object."""
    return dump(
        {
            "stage": finding.stage,
            "status": finding.status.value,
            "seconds": None if finding.seconds is None else round(finding.seconds, 6),
            "detail": finding.detail,
            "fix": finding.fix or None,
            "not_shown": finding.not_shown or None,
            "exit_code": int(finding.exit_code),
        }
    )
