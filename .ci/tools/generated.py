"""Files that are made of the code: written, or with ``--check`` held against what the code says now."""

from __future__ import annotations

import sys
from pathlib import Path

__all__ = ["ROOT", "keep"]

ROOT = Path(__file__).resolve().parents[2]


def keep(file: Path, text: str) -> None:
    """Write it; with ``--check`` exit with 1, and say what makes it anew, where it says something else."""
    if "--check" not in sys.argv[1:]:
        file.write_text(text, encoding="utf-8")
    elif not file.is_file() or file.read_text(encoding="utf-8") != text:
        name, tool = file.relative_to(ROOT), Path(sys.argv[0]).name
        sys.exit(f"{name} is not what the code says: python .ci/tools/{tool}")
