"""What CI's environments are made of: every package that pyproject.toml asks for, in one version, with its hash."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCKS = sorted((ROOT / ".ci" / "locks").glob("*-3.*.txt"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LINE = re.compile(r"([a-z0-9.-]+)==(\S+) --hash=sha256:[0-9a-f]{64}")


def wheels(path):
    """Versions by name; every line is one, after the first."""
    head, *lines = path.read_text(encoding="utf-8").splitlines()
    assert head.startswith("# Made by `make lock`")
    found = [LINE.fullmatch(line) for line in lines]
    assert all(found), path.name
    return {canonicalize_name(one[1]): one[2] for one in found}


def asked_for(entries):
    """The requirements of a group or of extras, with all that these bring in of ours."""
    for entry in entries:
        if isinstance(entry, dict):
            yield from asked_for(PROJECT["dependency-groups"][entry["include-group"]])
            continue
        requirement = Requirement(entry)
        if requirement.name != "dcl-comms":
            yield requirement
        for extra in requirement.extras if requirement.name == "dcl-comms" else ():
            yield from asked_for(PROJECT["project"]["optional-dependencies"][extra])


def test_each_interpreter_of_ci_has_its_locks():
    assert {tuple(path.name.rsplit("-", 3)[:2]) for path in LOCKS} == {
        (group, version) for group in ("dev", "core-test") for version in ("3.11", "3.12", "3.13")
    }
    for tool in ("pip", "maturin"):
        assert list(wheels(ROOT / ".ci" / "locks" / f"{tool}.txt")) == [tool]


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.stem)
def test_a_lock_has_what_its_group_asks_for(path):
    group, locked = path.name.rsplit("-", 3)[0], wheels(path)
    wanted = [*map(Requirement, PROJECT["project"]["dependencies"]), *asked_for(PROJECT["dependency-groups"][group])]
    assert len(wanted) > 5
    unmet = [str(one) for one in wanted if not one.specifier.contains(locked.get(canonicalize_name(one.name), "0"))]
    assert unmet == [], "run `make lock`"


def test_what_builds_a_wheel_is_one_version():
    (requirement,) = map(Requirement, PROJECT["build-system"]["requires"])
    assert re.fullmatch(r"==[0-9.]+", str(requirement.specifier))
    built_with = {wheels(path)["hatchling"] for path in LOCKS if path.name.startswith("dev-")}
    assert {f"=={version}" for version in built_with} == {str(requirement.specifier)}


def test_what_builds_the_crate_is_what_it_asks_for():
    crate = tomllib.loads((ROOT / "drivers" / "rtc" / "pyproject.toml").read_text(encoding="utf-8"))
    (asked,) = crate["build-system"]["requires"]
    assert Requirement(asked).specifier.contains(wheels(ROOT / ".ci" / "locks" / "maturin.txt")["maturin"])
    assert f'"{asked}"' in (ROOT / ".ci" / "rtc").read_text(encoding="utf-8")


def test_nothing_asks_an_index_for_the_crate():
    """Its name is nobody's there: whoever takes it would be installed."""
    asked = [*PROJECT["project"]["dependencies"]]
    for entries in [*PROJECT["project"]["optional-dependencies"].values(), *PROJECT["dependency-groups"].values()]:
        asked += [entry for entry in entries if isinstance(entry, str)]
    assert len(asked) > 20
    assert [entry for entry in asked if canonicalize_name(Requirement(entry).name) == "dcl-comms-rtc"] == []
    assert [path.name for path in LOCKS if "dcl-comms-rtc" in wheels(path)] == []


def test_what_is_used_beyond_its_promises_has_a_ceiling():
    """websockets' protocol without IO, the wheel of livekit, betterproto2's classes."""
    extras = [entry for extra in PROJECT["project"]["optional-dependencies"].values() for entry in extra]
    for requirement in map(Requirement, [*PROJECT["project"]["dependencies"], *extras]):
        if requirement.name in {"websockets", "livekit", "betterproto2"}:
            assert any(one.operator == "<" for one in requirement.specifier), str(requirement)
