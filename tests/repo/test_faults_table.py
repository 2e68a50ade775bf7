"""docs/faults.md says of every reason what it means, and names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

from dcl_comms_core import CloseReason
from dcl_comms_core.states import RETRY

ROOT = Path(__file__).parent.parent.parent
TEXT = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in TEXT.splitlines() if line.startswith("| ")]


def test_every_reason_has_a_row_that_gives_its_advice() -> None:
    told: dict[str, set[str]] = {}
    for row in ROWS:
        advice = [cell for cell in row if re.fullmatch("NEVER|FRESH_CREDENTIALS|BACKOFF", cell)]
        for name in re.findall(r"`([A-Z_]+)`", " ".join(row)):
            if name in CloseReason.__members__:
                told.setdefault(name, set()).update(advice)
    assert told == {reason.name: {RETRY[reason].name} for reason in CloseReason}


def test_every_row_names_tests_and_they_exist() -> None:
    header = {"what happens"}
    rows = [row for row in ROWS if row[0] not in header]
    assert len(rows) >= 30
    for row in rows:
        named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", row[-1])
        assert named, row
        for file, test in named:
            (path,) = ROOT.glob(f"tests/*/{file}")
            assert f"def {test}(" in path.read_text(encoding="utf-8"), (file, test)
