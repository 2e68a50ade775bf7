"""drivers/rtc from outside: where its crates come from, what is said where it can't be built, its stub, its description."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import crates
import pytest
from rigs.rtc.line import rtc_module

ROOT = Path(__file__).parents[3]
CRATE = ROOT / "drivers" / "rtc"


@pytest.mark.parametrize(
    "licence",
    [
        "MIT",
        "MIT/Apache-2.0",
        "GPL-3.0-only OR MIT",
        "(MIT OR GPL-2.0) AND Unicode-3.0",
        "Apache-2.0 WITH LLVM-exception",
    ],
)
def test_licences_of_the_list_and_choices_that_have_one_are_allowed(licence):
    assert crates.allowed(licence)


@pytest.mark.parametrize(
    "licence",
    ["GPL-3.0-only", "MIT AND MPL-2.0", "MIT OR Apache-2.0 AND GPL-2.0 AND X", "Apache-2.0 WITH Bison-exception-2.2"],
)
def test_others_are_not(licence):
    assert crates.allowed(licence) == licence.startswith("MIT OR")


@pytest.mark.parametrize("licence", ["", "MIT OR", "(MIT", "MIT Apache-2.0", "MIT)", "AND MIT", "MIT; BSD"])
def test_what_is_no_expression_is_refused(licence):
    with pytest.raises(ValueError):
        crates.allowed(licence)


def test_a_crate_from_elsewhere_without_checksum_or_licence_is_named():
    fine = {"name": "fine", "version": "1.0.0", "source": crates.INDEX, "license": "MIT"}
    others = [
        fine | {"name": "git", "source": "git+https://example.org/git"},
        fine | {"name": "path", "source": None},
        fine | {"name": "loose"},
        fine | {"name": "none", "license": None},
        fine | {"name": "strict", "license": "AGPL-3.0-only"},
    ]
    locked = {(name, "1.0.0"): "00" for name in ("fine", "none", "strict")}
    assert [fault.split(":")[0] for fault in crates.faults([fine, *others], locked)] == [
        "git 1.0.0 is not of crates.io",
        "path 1.0.0 is not of crates.io",
        "loose 1.0.0 has no checksum in Cargo.lock",
        "none 1.0.0 has a licence that is not allowed",
        "strict 1.0.0 has a licence that is not allowed",
    ]


def test_what_is_locked_is_of_one_index_with_checksums():
    """What `make check` looks at with cargo, as far as it can be seen without."""
    lock = tomllib.loads((CRATE / "Cargo.lock").read_text(encoding="utf-8"))["package"]
    assert len(lock) > 50
    loose = [one["name"] for one in lock if one.get("source") != crates.INDEX or "checksum" not in one]
    assert loose == ["dcl-comms-rtc"]


def test_our_part_of_it_forbids_unsafe_and_is_never_published_by_accident():
    cargo = tomllib.loads((CRATE / "Cargo.toml").read_text(encoding="utf-8"))
    assert cargo["lints"]["rust"]["unsafe_code"] == "forbid"
    assert cargo["package"]["publish"] is False
    assert cargo["profile"]["release"]["panic"] == "unwind", "a panic has to stay an exception of one peer"


@pytest.mark.parametrize(
    ("cargo", "said"),
    [
        (None, "there is no cargo here: it needs Rust 1.85 or newer"),
        ("exit 1", "there is no cargo here"),  # rustup without a toolchain
        ("echo 'cargo 1.84.1 (66221abde 2024-11-19)'", "cargo is 1.84.1: it needs Rust 1.85 or newer"),
        ("echo 'cargo 1.9.0 (x)'", "cargo is 1.9.0"),
        ('[ "$1" = --version ] && echo "cargo 1.100.0 (x)"', "its crates can't be fetched"),
    ],
)
def test_without_a_cargo_that_does_make_rtc_says_so(cargo, said, tmp_path):
    for tool in ("bash", "dirname", "cut", "sort", "head", "env"):
        (tmp_path / tool).symlink_to(shutil.which(tool))
    (tmp_path / "cc").touch(0o755)
    if cargo is not None:
        (tmp_path / "cargo").write_text(f"#!/usr/bin/env bash\n{cargo}\n", encoding="utf-8")
        (tmp_path / "cargo").chmod(0o755)

    def run(*arguments, **environment):
        kept = {name: value for name, value in os.environ.items() if name != "REQUIRE_RTC"}
        done = subprocess.run(
            [str(ROOT / ".ci" / "rtc"), *arguments],
            env=kept | {"PATH": str(tmp_path)} | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert said in done.stderr
        return done.returncode

    for what in ("build", "check"):
        assert run(what, ".venv") == 1
        assert run(what, ".venv", "--where-cargo-is") == 0
        assert run(what, ".venv", "--where-cargo-is", REQUIRE_RTC="1") == 1


def test_the_stub_says_what_the_module_has(tmp_path):
    """mypy's stubtest over the installed module: names, signatures, defaults."""
    try:
        rtc_module()
    except pytest.skip.Exception as missing:
        pytest.skip(str(missing))
    config = tmp_path / "mypy.ini"
    config.write_text("[mypy]\nstrict = true\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "mypy.stubtest", "dcl_comms_rtc", "--mypy-config-file", str(config)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout + done.stderr
