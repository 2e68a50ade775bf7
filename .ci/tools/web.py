"""The Station's page: `build` makes the served files anew from station/web, `watch` does so at each change, `check` says where they differ.

What station/web/package-lock.json asks for is installed into .cache/, and nothing of it is run at installation. Without node, npm or a
registry `check` says so and passes; with REQUIRE_NODE=1 it fails.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "station" / "web"
STATIC = ROOT / "station" / "dcl_comms_station" / "web" / "static"
CACHE = ROOT / ".cache"


class NoNodeError(Exception):
    """There is nothing here to build with, and why."""


def tool(name: str) -> str:
    """The path of node or npm.  NoNodeError: it is not here."""
    found = shutil.which(name)
    if found is None:
        raise NoNodeError(f"there is no {name} here")
    return found


def packages() -> Path:
    """node_modules as the lock file says, linked into station/web.  NoNodeError: they can't be had."""
    npm, _ = tool("npm"), tool("node")
    lock = (SOURCES / "package-lock.json").read_bytes()
    folder = CACHE / f"npm-page-{hashlib.sha256(lock).hexdigest()[:12]}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock_file:
        # Several processes, and several checkouts that share a cache, may want it at once.
        fcntl.flock(lock_file, fcntl.LOCK_EX)
        if not (folder / ".ready").exists():
            _install(npm, folder)
            (folder / ".ready").touch()
        link = SOURCES / "node_modules"
        if link.is_symlink() and link.resolve() != (folder / "node_modules").resolve():
            link.unlink()
        if not link.exists():
            link.symlink_to(folder / "node_modules")
    return folder / "node_modules"


def _install(npm: str, folder: Path) -> None:
    for file in ("package.json", "package-lock.json"):
        shutil.copy(SOURCES / file, folder)
    quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"]
    patience = ["--fetch-retries=1", "--fetch-timeout=20000"]
    try:
        done = subprocess.run(
            [npm, "ci", *quiet, *patience], cwd=folder, capture_output=True, text=True, timeout=300, check=False
        )
    except subprocess.TimeoutExpired as late:
        raise NoNodeError(f"npm had not installed the page's packages after {late.timeout:.0f} s") from late
    if done.returncode:
        code = next((line for line in done.stderr.splitlines() if " code " in line), "it said no code")
        raise NoNodeError(f"npm could not install the page's packages: {code}")


def build(out: Path, *mode: str) -> None:
    """Types checked, then the files written into this folder."""
    node, modules = tool("node"), packages()
    subprocess.run([node, modules / "typescript" / "bin" / "tsc", "--noEmit", "-p", SOURCES], check=True)
    subprocess.run([node, "build.mjs", out, *mode], cwd=SOURCES, check=True)


def differences(out: Path) -> list[str]:
    """Names of files that are not the same there and in the package."""
    made, kept = ({path.name: path.read_bytes() for path in folder.iterdir()} for folder in (out, STATIC))
    return sorted(name for name in made.keys() | kept.keys() if made.get(name) != kept.get(name))


def main() -> None:
    match sys.argv[1:]:
        case ["build"]:
            shutil.rmtree(STATIC, ignore_errors=True)
            build(STATIC)
        case ["watch"]:
            build(STATIC, "watch")
        case ["check"]:
            with tempfile.TemporaryDirectory() as folder:
                build(Path(folder))
                if found := differences(Path(folder)):
                    sys.exit(f"the page's built files are not what its sources say ({', '.join(found)}): make web")
        case _:
            sys.exit("web.py build|watch|check")


if __name__ == "__main__":
    try:
        main()
    except NoNodeError as error:
        if os.environ.get("REQUIRE_NODE") == "1" or sys.argv[1:] != ["check"]:
            sys.exit(str(error))
        print(f"the page was not built again: {error}")
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
