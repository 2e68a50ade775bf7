"""What programs that play seeds have in common: how a failure is told, and whether enough was reached."""

from __future__ import annotations

import traceback
from pathlib import Path

__all__ = ["ENOUGH", "MOST_SHOWN", "coverage", "failure"]

ENOUGH = 0.95
"""Of the rows of a table, and the like."""
MOST_SHOWN = 10


def failure(seed: int, error: Exception) -> str:
    """A line that names the seed, and where it was."""
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    where = " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames))
    return f"seed {seed}: {type(error).__name__}: {error} at {where}"


def coverage(what: str, names: list[str], total: int) -> bool:
    """Tell how much of ``total`` was reached, and what was not; whether that is enough."""
    reached = total - len(names)
    without = f"; not: {'; '.join(names)}" if names else ""
    print(f"{what}: {reached} of {total} ({reached / total:.1%}){without}")
    return reached >= ENOUGH * total
