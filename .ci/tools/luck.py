"""Runs each test that uses sockets, processes or clocks again and again under load: ``python .ci/tools/luck.py [--seconds N]``.

What came out is in ``tests/luck.tsv``, a line a test; it ran once when it did with all of its parameters.  It works in slices: after so many seconds it starts nothing new, and the next
call goes on.  A process runs as many tests as take some seconds together, in up to five rounds: what it takes to start costs more than most of them.  It gets
them from one end or the other of what there is to do still: what takes least, so that it is done with, or what takes longest, so that nothing waits for it
in the end.  They wait more than they work, so that more such processes run at once than there are processors; where that is less than twice what the machine
can do, others do nothing but count.  Where others use the machine too, so that it has more than four times to do what it can, only what takes least is begun:
what is long has deadlines that are for less.

    python .ci/tools/luck.py                        # ten minutes of it
    python .ci/tools/luck.py --seconds 0            # only looks which tests there are now
    python .ci/tools/luck.py --known                # of those that are in the table: looking takes a minute
    python .ci/tools/luck.py --forget test_stats.py # these were mended: their runs count no more
    python .ci/tools/luck.py --check                # 1 unless every test ran often enough, and never failed
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
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
ROUND = 20.0
"""Seconds that its tests took at the longest, all together: it gets no more of them."""
KEPT = Path("build") / "luck"
"""Where what a process said is kept in which something failed."""
MUCH = 4.0
"""Load for each processor, beyond which nothing long is begun."""
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

    @property
    def takes(self) -> float:
        """Seconds, or a guess where it never ran."""
        return self.seconds or 1.0

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

    def next(self, times: int, busy: set[str], *, longest: bool = False) -> tuple[list[str], int] | None:
        """Tests for one process, from the one end or the other of what there is to do, and how often they have to run."""
        # Those of a file stand together where they ran equally often: they share what their module sets up.
        waiting = [row for row in self.rows.values() if row.wants(times) and row.test not in busy]
        if not waiting:
            return None
        left = defaultdict[tuple[str, int], float](float)
        for row in waiting:
            left[row.file, row.runs] += (times - row.runs) * row.takes
        waiting.sort(key=lambda row: (left[row.file, row.runs], row.file, row.runs, row.test), reverse=longest)
        rounds, seconds = min(ROUNDS, times - waiting[0].runs), 0.0
        tests: list[str] = []
        for row in waiting:
            if times - row.runs >= rounds and (not tests or seconds + row.takes <= ROUND):
                tests.append(row.test)
                seconds += row.takes
        return tests, rounds

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


def run(wanted: list[str], rounds: int, report: Path) -> list[Outcome]:
    """Run these tests in a process of their own, so often at most: what became of each, each time."""
    code, told = pytest(sorted({test.partition("::")[0] for test in wanted}), report, wanted, rounds)
    if not told:
        # It is no test's fault: a file that is gone, one that can't be imported.
        sys.exit(f"pytest ended with {code} before any test\n" + report.with_suffix(".log").read_text(encoding="utf-8"))
    last = max(line["round"] for line in told)
    found: list[Outcome] = []
    for number in range(last + 1):
        outcomes: dict[str, tuple[str, float, str]] = {}
        of_this = [line for line in told if line["round"] == number]
        ended = [line for line in of_this if "outcome" in line]
        for line in sorted(ended, key=lambda line: ("skipped", "passed", "failed").index(line["outcome"])):
            # The worst of its parameters, and the longest.
            test, outcome, seconds = function_of(line["test"]), line["outcome"], float(line["seconds"])
            parameters = line["test"].removeprefix(test)
            # The table is for every machine: no path of this one stands in it.
            text = line["text"].replace(f"{Path.cwd()}/", "")
            why = " ".join(filter(None, (parameters if outcome == "failed" else "", text)))
            outcomes[test] = outcome, max(seconds, outcomes[test][1] if test in outcomes else 0.0), why
        died = f"pytest ended with {code} and never told of it"
        if open_ := {line["test"] for line in of_this} - {line["test"] for line in ended}:
            # The process ended in the middle of it: of those that would have been next nothing is known.
            outcomes |= {function_of(test): ("failed", 0.0, died) for test in open_}
        else:
            outcomes |= {test: ("failed", 0.0, died) for test in wanted if test not in outcomes}
        found += [(test, *outcome) for test, outcome in outcomes.items()]
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
    running: dict[Future[list[Outcome]], tuple[list[str], str]] = {}
    with ThreadPoolExecutor(jobs) as pool:
        while True:
            while len(running) < jobs and time.monotonic() < end:
                number = next(numbers)
                busy = {test for tests, _ in running.values() for test in tests}
                longest = number % 2 == 1 and os.getloadavg()[0] < MUCH * (os.cpu_count() or 1)
                if (found := table.next(times, busy, longest=longest)) is None:
                    break
                running[pool.submit(run, *found, folder / str(number))] = found[0], str(number)
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                tests, name = running.pop(future)
                outcomes = Counter[str]()
                for test, outcome, took, why in future.result():
                    table.rows[test].add(outcome, took, why, commit)
                    outcomes[outcome] += 1
                table.write()
                files = list(dict.fromkeys(test.partition("::")[0] for test in tests))
                print(*files[:3], *(["..."] if files[3:] else []), dict(outcomes), flush=True)
                if outcomes["failed"]:
                    KEPT.mkdir(parents=True, exist_ok=True)
                    kept = shutil.copy((folder / name).with_suffix(".log"), KEPT / f"{time.time():.0f}-{name}.log")
                    print(f"    all that it said: {kept}", flush=True)
                for test, _, _, why in dict.fromkeys(one for one in future.result() if one[1] == "failed"):
                    print(f"    {test}: {why}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--seconds", type=float, default=600.0, help="nothing new is started after so many (%(default)g)"
    )
    parser.add_argument("--times", type=int, default=20, help="how often each test has to run (%(default)s)")
    parser.add_argument(
        "--load", type=int, help="processes that count meanwhile (so that the machine has twice to do what it can)"
    )
    parser.add_argument(
        "--jobs", type=int, default=3 * (os.cpu_count() or 1), help="processes of tests at once (%(default)s here)"
    )
    parser.add_argument(
        "--forget", nargs="+", default=[], metavar="WORD", help="runs of tests with it in their names count no more"
    )
    parser.add_argument("--known", action="store_true", help="look for no tests that are not in the table yet")
    parser.add_argument("--check", action="store_true", help="run nothing, and say whether all is well")
    parser.add_argument("--repo", type=Path, default=ROOT, help="whose tests, and whose table")
    options = parser.parse_args()
    os.chdir(options.repo)
    table = Table(Path("tests") / "luck.tsv")
    if not options.check:
        with tempfile.TemporaryDirectory() as name:
            if not options.known:
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
