"""The tool that runs tests again and again finds those that use the world outside, resumes, and tells what failed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(300)  # ten processes of pytest

TOOL = Path(__file__).parents[2] / ".ci" / "tools" / "luck.py"

SUBJECTS = """
import random
import socket
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import find
from hypothesis import strategies as st

HERE = Path(__file__).parent


@pytest.fixture
def port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def helper():
    return time.monotonic()


@pytest.fixture(autouse=True)
def guard():
    return time.monotonic()


def test_pure():
    assert random.Random(1).random() < 1


def test_attribute_of_that_name():
    class Message:
        time = 1

    assert Message.time == 1


def test_through_a_fixture(port):
    assert port


@pytest.mark.parametrize("number", [1, 2])
def test_every_second_run_fails(number):
    assert helper()
    runs = HERE / f"runs-{number}"
    runs.write_text((runs.read_text() if runs.exists() else "") + "x")
    assert number == 1 or len(runs.read_text()) % 2


def test_imported_late():
    import threading

    assert threading


def test_search():
    assert find(st.integers(), lambda number: number > 5) == 6


def test_skipped():
    subprocess
    pytest.skip("no network here")


def test_it_dies():
    import os
    import signal

    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def luck(tmp_path):
    """Run the tool over a file of tests of our own: gives its exit code, what it printed, and the table's rows."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "pytest.ini").write_text("[pytest]", encoding="utf-8")
    subjects = tmp_path / "tests" / "test_subjects.py"
    subjects.write_text(SUBJECTS, encoding="utf-8")
    table = tmp_path / "tests" / "luck.tsv"

    def run(*args):
        command = [sys.executable, str(TOOL), "--repo", str(tmp_path), "--load", "1", *args]
        environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        told = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=280, check=False)
        rows = [
            line.split("\t") for line in table.read_text(encoding="utf-8").splitlines() if "test_subjects.py::" in line
        ]
        return told.returncode, told.stdout, {row[0].rpartition("::")[2]: row[1:] for row in rows}

    run.subjects = subjects
    return run


def test_which_tests_it_finds(luck):
    code, told, rows = luck("--seconds", "0")
    assert code == 0
    assert {test: row[0] for test, row in rows.items()} == {
        "test_through_a_fixture": "sockets",
        "test_every_second_run_fails": "clocks",
        "test_imported_late": "threads",
        "test_search": "search",
        "test_skipped": "processes",
        "test_it_dies": "processes",
    }
    assert {row[1] for row in rows.values()} == {"0"}
    assert told == "6 tests: 0 ran 20 times, 0 are skipped here, 0 failed; 0 runs\n"


def test_it_counts_goes_on_and_forgets(luck):
    luck.subjects.write_text(SUBJECTS.replace("os.kill(", "print("), encoding="utf-8")
    code, told, rows = luck("--times", "1")
    assert (code, told.splitlines()[-1]) == (0, "6 tests: 5 ran 1 times, 1 are skipped here, 0 failed; 5 runs")
    assert luck("--check", "--times", "1")[0] == 0
    assert luck("--check", "--times", "2")[0] == 1  # they did not run so often yet
    code, told, rows = luck("--times", "3")
    assert told.splitlines()[-1] == "6 tests: 5 ran 3 times, 1 are skipped here, 1 failed; 15 runs"
    runs, failed, _, _, why = rows["test_every_second_run_fails"][1:]
    assert (runs, failed) == ("3", "1")
    assert why.startswith("[2] test_subjects.py:")
    (kept,) = (luck.subjects.parents[1] / "build" / "luck").iterdir()
    assert "FAILED tests/test_subjects.py::test_every_second_run_fails[2]" in kept.read_text(encoding="utf-8")
    assert rows["test_skipped"][-1].startswith("skipped: ")
    assert luck("--check", "--times", "3")[0] == 1  # one failed
    _, _, rows = luck("--seconds", "0", "--forget", "every_second")
    assert rows["test_every_second_run_fails"][1:] == ["0", "0", "0.0", "-", ""]
    assert rows["test_search"][1] == "3"
    luck.subjects.write_text(
        SUBJECTS.replace("os.kill(", "print(") + "def test_new():\n    assert time\n", encoding="utf-8"
    )
    assert "test_new" not in luck("--seconds", "0", "--known")[2]
    assert luck("--seconds", "0")[2]["test_new"][1] == "0"


def test_a_process_that_dies_is_a_failure(luck):
    _, _, rows = luck("--times", "1")
    runs, failed, *_, why = rows["test_it_dies"][1:]
    assert (runs, failed, why) == ("1", "1", "pytest ended with -9 and never told of it")
    assert rows["test_search"][2] == "0"


def test_those_behind_one_that_dies_run_in_the_next_process(luck):
    dies = SUBJECTS[SUBJECTS.index("def test_it_dies") :]
    luck.subjects.write_text(dies + "def test_behind():\n    import os, signal\n", encoding="utf-8")
    _, told, rows = luck("--times", "1")
    assert {test: row[1:3] for test, row in rows.items()} == {"test_it_dies": ["1", "1"], "test_behind": ["1", "0"]}
    assert told.count("test_subjects.py {") == 2


ROUNDS = """
import os
import subprocess
from pathlib import Path

import pytest

RUNS = Path(__file__).with_name("runs")


@pytest.fixture(scope="module")
def fresh():
    return []


def test_alone(fresh):
    subprocess
    assert fresh == []
    fresh.append(1)
    with RUNS.open("a") as runs:
        print(os.getpid(), file=runs)
"""


def test_a_process_runs_up_to_five_rounds(luck):
    luck.subjects.write_text(ROUNDS, encoding="utf-8")
    _, _, rows = luck("--times", "7")
    assert rows["test_alone"][1:3] == ["7", "0"]
    processes = Counter(luck.subjects.with_name("runs").read_text(encoding="utf-8").split())
    assert sorted(processes.values()) == [2, 5]


def test_a_process_runs_several_files(luck):
    luck.subjects.write_text(ROUNDS, encoding="utf-8")
    luck.subjects.with_name("test_more.py").write_text(ROUNDS, encoding="utf-8")
    luck("--times", "2")
    processes = Counter(luck.subjects.with_name("runs").read_text(encoding="utf-8").split())
    assert list(processes.values()) == [4]


def test_where_no_test_can_run_it_ends_and_none_has_failed(luck):
    luck("--seconds", "0")
    luck.subjects.write_text(SUBJECTS + "raise ZeroDivisionError\n", encoding="utf-8")
    code, _, rows = luck("--known")
    assert code == 1
    assert {tuple(row[1:3]) for row in rows.values()} == {("0", "0")}
