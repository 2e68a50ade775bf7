"""docs/upgrading.md names each limit whose default is another one than in 0.1, and each word that is new in a match."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path

from dcl_comms_core import DEFAULT_LIMITS, CloseReason, WarningCode

ROOT = Path(__file__).parents[2]
BEFORE = json.loads((ROOT / "tests" / "repo" / "defaults_0_1.json").read_text(encoding="utf-8"))
"""What they were when 0.1 was written."""


def rows_that_name(word):
    text = (ROOT / "docs" / "upgrading.md").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line.startswith("| ") and re.search(rf"\b{word}\b", line)]


def test_every_limit_that_changed_has_a_row_with_its_new_default():
    now = asdict(DEFAULT_LIMITS)
    changed = {name for name, default in BEFORE["limits"].items() if now.get(name) != default}
    assert changed == {"about_chars"}
    for name in changed:
        (row,) = rows_that_name(name)
        assert f"{now[name]:,}" in row
        assert f"{BEFORE['limits'][name]:,}" in row


def test_every_word_that_is_new_has_a_row():
    for kind, known in ((WarningCode, BEFORE["warning_codes"]), (CloseReason, BEFORE["close_reasons"])):
        names = {member.name for member in kind}
        assert names >= set(known)
        assert [name for name in sorted(names - set(known)) if not rows_that_name(name)] == []


def test_every_row_has_its_three_cells():
    text = (ROOT / "docs" / "upgrading.md").read_text(encoding="utf-8")
    rows = [re.split(r"(?<!\\)\|", line) for line in text.splitlines() if line.startswith("| ")]
    assert all(len(row) == 5 and all(cell.strip() for cell in row[1:-1]) for row in rows)
