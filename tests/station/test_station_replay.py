"""dcl-comms replay: identical, where it goes otherwise, and what is no journal."""

from __future__ import annotations

import pytest
from dcl_comms_station.cli import cli

from dcl_comms_core import Journal, RoomSession, SimulatorAdapter


@pytest.fixture
def journal(tmp_path):
    journal = Journal()
    session = journal.record(RoomSession, SimulatorAdapter("x"))
    session.open(now=1.0)
    session.handle_timeout(30.0)
    path = tmp_path / "journal"
    path.write_text(journal.text())
    return path


def test_identical(journal, capsys):
    assert cli.run(["replay", str(journal)]) == 0
    assert capsys.readouterr() == ("identical: 2 steps\n", "")


def test_otherwise(journal, capsys):
    journal.write_text(journal.read_text().replace('"deadline": 21.0', '"deadline": 22.0'))
    assert cli.run(["replay", str(journal)]) == 1
    expected = "step 1 (line 2): open(now=1.0)\n  deadline: expected 22.0, came 21.0\n"
    assert capsys.readouterr() == (expected, "")


def test_no_journal(journal, capsys):
    journal.write_bytes(journal.read_bytes() + b"\xff\n")
    assert cli.run(["replay", str(journal)]) == 5
    assert capsys.readouterr() == ("", "dcl-comms: error: a line that is no step: line 4\n")
    assert cli.run(["replay", str(journal / "no")]) == 2
