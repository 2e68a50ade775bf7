"""Print which versions of livekit .ci/wheels takes, one a line.

The oldest and the newest that pyproject.toml allows, and the newest of each other series since 1.0.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

Version = tuple[int, ...]


def main() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    (wanted,) = project["optional-dependencies"]["livekit"]
    low, high = (version(text) for text in re.findall(r"[\d.]+", wanted))
    known = published()
    for chosen in choose(known, low, high):
        print(".".join(map(str, chosen)))


def published(name: str = "livekit") -> list[Version]:
    """The numbers of a package's releases on PyPI, as pip tells them.

    Of the interpreter that made this environment: uv's environments have no pip.
    """
    python = Path(sys.base_prefix) / "bin" / "python3"
    listing = subprocess.run(
        [python, "-m", "pip", "index", "versions", name], capture_output=True, text=True, check=True, timeout=120
    ).stdout
    return read_listing(listing)


def read_listing(listing: str) -> list[Version]:
    (line,) = re.findall(r"^Available versions: (.*)$", listing, re.MULTILINE)
    return sorted(version(text) for text in line.split(", ") if re.fullmatch(r"[\d.]+", text))


def version(text: str) -> Version:
    return tuple(map(int, text.split(".")))


def choose(known: list[Version], low: Version, high: Version) -> list[Version]:
    allowed = [one for one in known if low <= one < high]
    last = {one[:2]: one for one in known if one >= (1, 0) and one not in allowed}
    return list(dict.fromkeys([allowed[0], allowed[-1], *last.values()]))


if __name__ == "__main__":
    main()
