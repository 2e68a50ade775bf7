"""docs/faults.md says of every reason what it means; it and docs/realm.md name tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

from dcl_comms_core import CloseReason
from dcl_comms_core.states import RETRY

ROOT = Path(__file__).parent.parent.parent


def rows_of(page: str) -> list[list[str]]:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("| ")
    ]


ROWS = rows_of("faults.md")
SERVERS = [row for row in rows_of("realm.md") if len(row) == 3]


def test_every_reason_has_a_row_that_gives_its_advice() -> None:
    told: dict[str, set[str]] = {}
    for row in ROWS:
        advice = [cell for cell in row if re.fullmatch("NEVER|FRESH_CREDENTIALS|BACKOFF", cell)]
        for name in re.findall(r"`([A-Z_]+)`", " ".join(row)):
            if name in CloseReason.__members__:
                told.setdefault(name, set()).update(advice)
    assert told == {reason.name: {RETRY[reason].name} for reason in CloseReason}


def test_every_row_names_tests_and_they_exist() -> None:
    header = {"what happens", "what servers do"}
    rows = [row for row in ROWS + SERVERS if row[0] not in header]
    assert len(rows) >= 42
    for row in rows:
        named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", row[-1])
        assert named, row
        for file, test in named:
            (path,) = ROOT.glob(f"tests/**/{file}")
            assert f"def {test}(" in path.read_text(encoding="utf-8"), (file, test)
