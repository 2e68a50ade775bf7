"""Compare what others publish now with what was tried, as tried.toml says, and tell what is new.

Asks npm and pip, so it is no part of CI.  Exit 0: all is as it was tried; 1: something is new; 2: something could not
be asked, and nothing else is new.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import livekit_versions

if TYPE_CHECKING:
    from datetime import date

HERE = Path(__file__).parent
TRIED = HERE / "tried.toml"
COMPARED = {"@dcl/protocol": "compare_protocol.py", "livekit-protocol": "compare_livekit.py"}
"""What compares ours with the newest, field by field."""


class Unanswered(Exception):
    """A registry could not be asked."""


@dataclass(frozen=True)
class Tried:
    """An entry of tried.toml."""

    name: str
    on: str
    versions: list[str]
    day: date
    then: str
    """What to do with a newer one."""


@dataclass(frozen=True)
class Verdict:
    """What to print of one thing, and whether it is new; None: nobody knows."""

    new: bool | None
    text: str


def tried(path: Path = TRIED) -> list[Tried]:
    return [Tried(**entry) for entry in tomllib.loads(path.read_text(encoding="utf-8"))["tried"]]


def npm_latest(answer: str) -> dict[str, str]:
    """What ``npm view NAME dist-tags.latest time --json`` says: the version and its day.

    Nothing for a package that is on no registry.
    """
    said = json.loads(answer or '{"error": {"code": "no answer"}}')
    if "error" in said:
        if said["error"]["code"] == "E404":
            return {}
        raise Unanswered(said["error"]["code"])
    latest = said["dist-tags.latest"]
    return {latest: said["time"][latest][:10]}


def series(known: list[livekit_versions.Version], since: livekit_versions.Version) -> dict[str, str]:
    """The last version of each series, from that of ``since`` on; pip tells no days."""
    last = {version[:2]: version for version in sorted(known) if version[:2] >= since[:2]}
    return {".".join(map(str, version)): "" for version in last.values()}


def judge(thing: Tried, published: dict[str, str]) -> Verdict:
    """``published``: the versions that count, each with its day or an empty text."""
    before = f"{', '.join(thing.versions) or 'on no registry'}, tried on {thing.day}"
    fresh = {version: day for version, day in published.items() if version not in thing.versions}
    if fresh:
        told = ", ".join(f"{version} of {day}" if day else version for version, day in fresh.items())
        return Verdict(True, f"NEW       {thing.name} {told}\n          before: {before}\n          then: {thing.then}")
    if thing.versions and not published:
        return Verdict(True, f"GONE      {thing.name}\n          before: {before}")
    return Verdict(False, f"as tried  {thing.name} {before}")


def exit_code(verdicts: list[Verdict]) -> int:
    if any(verdict.new for verdict in verdicts):
        return 1
    return 2 if any(verdict.new is None for verdict in verdicts) else 0


def ask(thing: Tried) -> dict[str, str]:
    if thing.on == "pypi":
        try:
            known = livekit_versions.published(thing.name)
        except subprocess.SubprocessError as error:
            raise Unanswered(str(error)) from error
        return series(known, min(map(livekit_versions.version, thing.versions)))
    try:
        done = subprocess.run(
            ["npm", "view", thing.name, "dist-tags.latest", "time", "--json"],
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unanswered(str(error)) from error
    return npm_latest(done.stdout)


def look(thing: Tried) -> Verdict:
    try:
        return judge(thing, ask(thing))
    except Unanswered as error:
        return Verdict(None, f"UNKNOWN   {thing.name}: {error}")


def main() -> int:
    verdicts = []
    for thing in tried():
        verdict = look(thing)
        print(verdict.text, flush=True)
        if verdict.new and thing.name in COMPARED:
            subprocess.run([sys.executable, str(HERE / COMPARED[thing.name]), "--newest"], check=False)
        verdicts.append(verdict)
    return exit_code(verdicts)


if __name__ == "__main__":
    sys.exit(main())
