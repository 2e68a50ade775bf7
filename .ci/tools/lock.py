"""What a development environment is made of: versions and the hashes of their wheels, in .ci/locks/.

``python .ci/tools/lock.py [VERSION ...]`` asks pip what it would install now and writes one file for each Python and each
of the groups that CI makes environments of.  A lock is for one kind of machine, since it has one wheel of each package:
`.ci/make-env` uses it where it fits, and elsewhere lets pip choose, and says so.  `make lock` calls this.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ROOT / ".ci" / "locks"
GROUPS = ("dev", "core-test")
TOOLS = {"pip": ("pip", "what reads the others"), "maturin": ("maturin>=1.9,<2", "what builds drivers/rtc")}
"""What is in no group: of each, a file of its own.  The same range is asked for in drivers/rtc/pyproject.toml."""
VERSIONS = ("3.11", "3.12", "3.13")
OURS = "dcl-comms"
HEAD = "# Made by `make lock`: {what}.\n"


def report(*arguments: str) -> str:
    """Name, version and hash of each wheel that pip would install, a line for each."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "report.json")
        how = ["--quiet", "--dry-run", "--ignore-installed", "--only-binary=:all:", "--report", str(out)]
        subprocess.run([sys.executable, "-m", "pip", "install", *how, *arguments], check=True, cwd=ROOT)
        found = json.loads(out.read_text(encoding="utf-8"))["install"]
    wheels = {
        one["metadata"]["name"].lower().replace("_", "-"): f"=={one['metadata']['version']} --hash=sha256:"
        + one["download_info"]["archive_info"]["hashes"]["sha256"]
        for one in found
        if one["metadata"]["name"] != OURS
    }
    return "".join(f"{name}{rest}\n" for name, rest in sorted(wheels.items()))


def main() -> int:
    machine = f"{sys.platform}-{platform.machine()}"
    for version in sys.argv[1:] or VERSIONS:
        for group in GROUPS:
            path = LOCKS / f"{group}-{version}-{machine}.txt"
            wheels = report("--python-version", version, "--editable", ".", "--group", group)
            path.write_text(HEAD.format(what=f"group {group}, Python {version}, {machine}") + wheels)
            print(f"{path.relative_to(ROOT)}: {len(wheels.splitlines())} packages", flush=True)
    for name, (requirement, what) in TOOLS.items():
        (LOCKS / f"{name}.txt").write_text(HEAD.format(what=what) + report("--no-deps", requirement))
    return 0


if __name__ == "__main__":
    sys.exit(main())
