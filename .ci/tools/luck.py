"""Runs each test that uses sockets, processes or clocks again and again under load: ``python .ci/tools/luck.py [--seconds N]``.

What came out is in ``tests/luck.tsv``, a line a test; it ran once when it did with all of its parameters.  It works in slices: after so many seconds it starts nothing new, and the next
call goes on with whatever ran least.  A process runs the tests of one file, in up to five rounds: what it takes to start costs more than most of them.  Some
files run at once, and beside them processes do nothing but count, as many as the machine has to do less than twice what it can.

    python .ci/tools/luck.py                        # ten minutes of it
    python .ci/tools/luck.py --seconds 0            # only looks which tests there are now
    python .ci/tools/luck.py --forget test_stats.py # these were mended: their runs count no more
    python .ci/tools/luck.py --check                # 1 unless every test ran often enough, and never failed
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luck_plugin import function_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
LONGEST = 1800
"""Seconds that one file may take."""
ROUNDS = 5
"""How often at most a process runs what it is to run: the rest of the times it is another process, at another moment."""
ROUNDS_SECONDS = 120.0
"""After so many it begins no further round."""
Told = dict[str, Any]
"""A line of the plugin."""
Outcome = tuple[str, str, float, str]
"""A test, what became of it, seconds and the reason."""
HEAD = """\
# Tests that use sockets, processes or clocks, run again and again under load: made by .ci/tools/luck.py, which says how.
# seconds: the longest run.  commit: where it ran last.  why: of the last failure, or why it is skipped here.
"""


@dataclass
class Row:
    """A test, and what became of it so far."""

    test: str
    uses: str
    runs: int = 0
    failed: int = 0
    seconds: float = 0.0
    commit: str = "-"
    why: str = ""

    @property
    def file(self) -> str:
        """Where it is."""
        return self.test.partition("::")[0]

    def add(self, outcome: str, seconds: float, why: str, commit: str) -> None:
        """One run more."""
        self.commit = commit
        if outcome == "skipped":
            self.why = f"skipped: {why}"
            return
        self.runs += 1
        self.seconds = max(self.seconds, seconds)
        if outcome == "failed":
            self.failed += 1
            self.why = why
        elif self.why.startswith("skipped: "):
            self.why = ""

    def wants(self, times: int) -> bool:
        """It has to run still."""
        return self.runs < times and not self.why.startswith("skipped: ")


class Table:
    """The rows, and the file that they are in."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: dict[str, Row] = {}
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        for line in lines[HEAD.count("\n") + 1 :]:
            test, uses, runs, failed, seconds, commit, why = line.split("\t")
            self.rows[test] = Row(test, uses, int(runs), int(failed), float(seconds), commit, why)

    def write(self) -> None:
        """Write it down; nobody finds half a table."""
        names = [field.name for field in fields(Row)]
        lines = [[str(getattr(row, name)) for name in names] for _, row in sorted(self.rows.items())]
        new = self.path.with_suffix(".new")
        new.write_text(HEAD + "".join("\t".join(line) + "\n" for line in [names, *lines]), encoding="utf-8")
        new.replace(self.path)

    def meet(self, found: dict[str, str]) -> None:
        """Tests that are there now: others go, and of those that are new nothing is known."""
        self.rows = {test: self.rows.get(test) or Row(test, uses) for test, uses in found.items()}
        for test, uses in found.items():
            self.rows[test].uses = uses

    def forget(self, words: Iterable[str]) -> int:
        """What ran of tests with one of these words in their names counts no more."""
        rows = [row for row in self.rows.values() if any(word in row.test for word in words)]
        self.rows |= {row.test: Row(row.test, row.uses) for row in rows}
        return len(rows)

    def next(self, times: int, busy: set[str]) -> tuple[str, list[str], int] | None:
        """The file whose tests ran least, those of its tests that want it, and how often."""
        waiting = [row for row in self.rows.values() if row.wants(times) and row.file not in busy]
        if not waiting:
            return None
        file = min(waiting, key=lambda row: (row.runs, row.test)).file
        least = min(row.runs for row in waiting if row.file == file)
        return file, [row.test for row in waiting if row.file == file and row.runs == least], times - least

    def told(self, times: int) -> str:
        """All of it in one line."""
        rows = self.rows.values()
        done, failed = sum(row.runs >= times for row in rows), sum(row.failed > 0 for row in rows)
        skipped = sum(row.why.startswith("skipped: ") for row in rows)
        return f"{len(rows)} tests: {done} ran {times} times, {skipped} are skipped here, {failed} failed; {sum(row.runs for row in rows)} runs"


def pytest(args: list[str], report: Path, wanted: Iterable[str] | None, rounds: int = 1) -> tuple[int, list[Told]]:
    """Run pytest with our plugin; gives its exit code and what the plugin told."""
    # Not what is told to the process that we may be in ourselves: our own test is one of them.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LUCK_")}
    environment |= {"PYTHONPATH": str(HERE), "LUCK_REPORT": str(report)}
    environment |= {"LUCK_ROUNDS": str(rounds), "LUCK_SECONDS": str(ROUNDS_SECONDS)}
    # What Hypothesis found before makes a search short that is long for everybody else.
    environment["HYPOTHESIS_STORAGE_DIRECTORY"] = str(report.with_suffix(".hypothesis"))
    if wanted is not None:
        names = report.with_suffix(".tests")
        names.write_text("\n".join(wanted), encoding="utf-8")
        environment["LUCK_TESTS"] = str(names)
    report.touch()
    command = [sys.executable, "-m", "pytest", "-q", "-p", "luck_plugin", "-p", "no:cacheprovider", *args]
    log = report.with_suffix(".log")
    with log.open("w", encoding="utf-8") as out:
        process = subprocess.Popen(
            command, env=environment, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
        )
        try:
            code = process.wait(LONGEST)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
    return code, [json.loads(line) for line in report.read_text(encoding="utf-8").splitlines()]


def collect(folder: Path) -> dict[str, str]:
    """Which tests there are, and what they use."""
    report = folder / "collected"
    code, told = pytest(["--collect-only", "tests"], report, None)
    if code not in {0, 5}:
        sys.exit(report.with_suffix(".log").read_text(encoding="utf-8"))
    uses: dict[str, set[str]] = {}
    for line in told:
        uses.setdefault(function_of(line["test"]), set()).update(line["uses"])
    return {test: ",".join(sorted(words)) for test, words in uses.items()}


def run(file: str, wanted: list[str], times: int, report: Path) -> list[Outcome]:
    """Run these tests of a file some times, in a process of their own: what became of each, each time."""
    code, told = pytest([file], report, wanted, min(times, ROUNDS))
    last = max((line["round"] for line in told), default=0)
    found: list[Outcome] = []
    for number in range(last + 1):
        outcomes: dict[str, tuple[str, float, str]] = {}
        of_this = [line for line in told if line["round"] == number]
        for line in sorted(of_this, key=lambda line: ("skipped", "passed", "failed").index(line["outcome"])):
            # The worst of its parameters, and the longest.
            test, outcome, seconds = function_of(line["test"]), line["outcome"], float(line["seconds"])
            parameters = line["test"].removeprefix(test)
            why = " ".join(filter(None, (parameters if outcome == "failed" else "", line["text"])))
            outcomes[test] = outcome, max(seconds, outcomes[test][1] if test in outcomes else 0.0), why
        found += [(test, *outcome) for test, outcome in outcomes.items()]
        died = f"pytest ended with {code} and never told of it"
        found += [(test, "failed", 0.0, died) for test in wanted if test not in outcomes]
    return found


@contextmanager
def load(processes: int) -> Iterator[None]:
    """So many processes that do nothing but count."""
    # Each ends with this process, however that ends.
    count = f"import os\nwhile os.getppid() == {os.getpid()}: pass"
    counting = [subprocess.Popen([sys.executable, "-c", count]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in counting:
            process.kill()
            process.wait()


def missing_load(jobs: int) -> int:
    """How many processes are missing until the machine has twice to do what it can: our jobs count as half of one."""
    return max(0, round(2 * (os.cpu_count() or 1) - os.getloadavg()[0] - jobs / 2))


def slice_(table: Table, times: int, seconds: float, jobs: int, commit: str, folder: Path) -> None:
    """Run what ran least, until the time is over."""
    end = time.monotonic() + seconds
    numbers = iter(range(1_000_000))
    running: dict[Future[list[Outcome]], str] = {}
    with ThreadPoolExecutor(jobs) as pool:
        while True:
            while (
                len(running) < jobs and time.monotonic() < end and (found := table.next(times, set(running.values())))
            ):
                running[pool.submit(run, *found, folder / str(next(numbers)))] = found[0]
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                file = running.pop(future)
                outcomes = Counter[str]()
                for test, outcome, took, why in future.result():
                    table.rows[test].add(outcome, took, why, commit)
                    outcomes[outcome] += 1
                table.write()
                print(file, dict(outcomes), flush=True)
                for test, _, _, why in dict.fromkeys(one for one in future.result() if one[1] == "failed"):
                    print(f"    {test.partition('::')[2]}: {why}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--seconds", type=float, default=600.0, help="nothing new is started after so many (%(default)g)"
    )
    parser.add_argument("--times", type=int, default=20, help="how often each test has to run (%(default)s)")
    parser.add_argument(
        "--load", type=int, help="processes that count meanwhile (so that the machine has twice to do what it can)"
    )
    parser.add_argument("--jobs", type=int, default=3, help="files at once (%(default)s)")
    parser.add_argument(
        "--forget", nargs="+", default=[], metavar="WORD", help="runs of tests with it in their names count no more"
    )
    parser.add_argument("--check", action="store_true", help="run nothing, and say whether all is well")
    parser.add_argument("--repo", type=Path, default=ROOT, help="whose tests, and whose table")
    options = parser.parse_args()
    os.chdir(options.repo)
    table = Table(Path("tests") / "luck.tsv")
    if not options.check:
        with tempfile.TemporaryDirectory() as name:
            table.meet(collect(Path(name)))
            if options.forget:
                print(table.forget(options.forget), "tests forgotten")
            table.write()
            # The commit that is tried; a plus: and something that is in none.
            told = subprocess.run(
                ["git", "describe", "--always", "--dirty=+"], capture_output=True, text=True, check=False
            )
            counting = missing_load(options.jobs) if options.load is None else options.load
            with load(counting if options.seconds > 0 else 0):
                slice_(table, options.times, options.seconds, options.jobs, told.stdout.strip() or "-", Path(name))
    print(table.told(options.times))
    well = all(row.failed == 0 and not row.wants(options.times) for row in table.rows.values())
    return 0 if well or not options.check else 1


if __name__ == "__main__":
    sys.exit(main())
