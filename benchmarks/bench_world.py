"""WorldSession: 1,000 identities in one process, from the realm's URL to their islands, beside 100: what each of them costs.

Each run is a process of its own (world_party.py).  CPU, not time on the wall; memory is what the process grew by.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pairs import row

if TYPE_CHECKING:
    from pairs import Row

PARTY = Path(__file__).parent / "world_party.py"
MANY, FEW = 1_000, 100
CASES = {
    "from the realm's URL to the island": ("enter", "us CPU/identity", 1e6),
    "a second of heartbeats on it": ("idle", "us CPU/identity", 1e6),
    "a chat message to 19 others, and theirs": ("chat", "us CPU/identity", 1e6),
    "memory": ("rss", "KB/identity", 1e-3),
}


def party(identities: int) -> dict[str, float]:
    command = [sys.executable, "-W", "ignore", str(PARTY), str(identities)]
    result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    # Everybody heard everybody else on the island, once.
    assert result["peers"] == result["heard"] > 0
    return result


def run(rounds: int = 7, only: str = "") -> list[Row]:
    """Every row whose case has ``only`` in it."""
    wanted = {
        f"{MANY} identities: {name}": fields for name, fields in CASES.items() if only in f"{MANY} identities: {name}"
    }
    if not wanted:
        return []
    results = [(party(MANY), party(FEW)) for _ in range(rounds)]
    return [
        row(
            "world",
            case,
            unit,
            f"{FEW} identities",
            [(many[field] * scale, few[field] * scale) for many, few in results],
        )
        for case, (field, unit, scale) in wanted.items()
    ]
