"""Is the fuzzing worth anything?  Plant each bug of mutants.toml in a copy of the core and fuzz until it is found.

    python fuzz/mutants.py [--seconds 60] [--seed 1] [WORD ...]

A WORD selects the mutants with it in their name.  The copy has no corpus, so that only fresh inputs find anything.
Ends with 1 if one is not found in time, if it does not apply any more, or if the copy without a bug fails.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["Finding", "Stale", "hunt", "load", "main", "place", "plant"]

ROOT = Path(__file__).resolve().parents[1]
FUZZ, CORE = "fuzz", "dcl_comms_core"
LIST = Path(__file__).with_name("mutants.toml")
PROGRAMS = ("fuzz/run.py", "fuzz/rooms.py", "fuzz/enet.py", "fuzz/worlds/run.py")
_IN_WORLDS = ("livekit/", "servers/", "deployment/")
"""What whole worlds are played for."""
BUILD = Path("dcl_comms_core/codec/_native/build.py")


class Stale(Exception):
    """A mutant's text is not in the source any more: bring mutants.toml up to date."""


class Finding(NamedTuple):
    """``seconds`` until a failure was printed, None if there was none; ``what`` is its line."""

    seconds: float | None
    what: str


def load() -> list[dict[str, Any]]:
    """The list."""
    return list(tomllib.loads(LIST.read_text(encoding="utf-8"))["mutant"])


def place(tree: Path, mutant: dict[str, Any]) -> Path:
    """The file that it changes."""
    return tree / CORE / ("" if mutant.get("sessions") else "codec") / mutant["file"]


def plant(tree: Path, mutant: dict[str, Any]) -> None:
    """Change the copy.  Raises Stale."""
    path = place(tree, mutant)
    text = path.read_text(encoding="utf-8")
    if text.count(mutant["old"]) != mutant.get("count", 1):
        raise Stale(f"{mutant['file']} has {text.count(mutant['old'])} times: {mutant['old']}")
    path.write_text(text.replace(mutant["old"], mutant["new"], 1), encoding="utf-8")


def _command(program: str, *, seconds: float, seed: int) -> list[str]:
    """What looks for it."""
    if program == PROGRAMS[0]:
        return [program, "--seconds", str(seconds), "--seed", str(seed)]
    return [program, "--seeds", "1000000", "--first", str(seed), "--seconds", str(seconds), "--stop"]


def _program(mutant: dict[str, Any]) -> str:
    decodes, plays, connects, worlds = PROGRAMS
    if mutant["file"].startswith(_IN_WORLDS):
        return worlds
    return connects if mutant["file"].startswith("enet/") else plays if mutant.get("sessions") else decodes


def hunt(mutant: dict[str, Any] | None, *, seconds: float, seed: int, program: str = "fuzz/run.py") -> Finding:
    """Fuzz a copy with this bug (None: with none) until the first failure or the end of the time.  Raises Stale.

    ``program``: what finds it, where no bug says so.
    """
    with tempfile.TemporaryDirectory(prefix="mutant-") as scratch:
        tree = Path(scratch)
        shutil.copytree(ROOT / CORE, tree / CORE, ignore=shutil.ignore_patterns("__pycache__", "*.so", "*.pyd"))
        shutil.copytree(ROOT / FUZZ, tree / FUZZ, ignore=shutil.ignore_patterns("__pycache__", "corpus"))
        native = mutant is None or mutant.get("native", False) or mutant["file"].startswith("_native/")
        if mutant is not None:
            plant(tree, mutant)
            program = _program(mutant)
        environment = os.environ | {"PYTHONPATH": str(tree), "DCL_COMMS_CODEC": "native" if native else "python"}
        if native:
            command = [sys.executable, tree / BUILD, "--only", "codec"]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=300)  # noqa: S603  # our own program
        began = time.monotonic()
        command = [sys.executable, *_command(program, seconds=seconds, seed=seed)]
        with subprocess.Popen(  # noqa: S603  # our own program
            command, cwd=tree, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                found = re.match(r"FAILURE (.*)", line)
                if found:
                    process.kill()
                    return Finding(time.monotonic() - began, found[1])
        if process.returncode:  # it ended without a word: a crash is a finding too
            return Finding(time.monotonic() - began, f"ended with {process.returncode}")
        return Finding(None, "")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="the time for each")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("words", nargs="*", metavar="WORD")
    arguments = parser.parse_args()
    chosen = [m for m in load() if all(word in m["name"] for word in arguments.words)]
    missed = 0
    for program in PROGRAMS:
        healthy = hunt(None, seconds=5, seed=arguments.seed, program=program)
        if healthy.seconds is not None:
            print(f"without a planted bug it fails: {healthy.what}")
            return 1
    for mutant in chosen:
        try:
            finding = hunt(mutant, seconds=arguments.seconds, seed=arguments.seed)
        except Stale as problem:
            finding = Finding(None, f"stale: {problem}")
        missed += finding.seconds is None
        took = "NOT FOUND" if finding.seconds is None else f"{finding.seconds:6.1f} s"
        print(f"{took:>9}  {mutant['name']}\n           {finding.what[:160]}", flush=True)
    print(f"{len(chosen) - missed} of {len(chosen)} planted bugs found within {arguments.seconds:g} s each")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
