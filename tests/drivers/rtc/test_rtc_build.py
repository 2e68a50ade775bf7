"""`.ci/rtc` says what is missing where the engine in Rust can't be built: cargo, a newer one, a C compiler."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
TOOLS = ("bash", "dirname", "cut", "sort", "head", "env")


@pytest.fixture
def run(tmp_path):
    """The script where there is nothing but a shell, and a cargo of that version."""
    for tool in TOOLS:
        (tmp_path / tool).symlink_to(shutil.which(tool))

    def call(*arguments, cargo="", **env):
        if cargo:
            program = tmp_path / "cargo"
            program.write_text(f"#!{shutil.which('bash')}\necho 'cargo {cargo} (x)'\n")
            program.chmod(0o755)
        return subprocess.run(
            [ROOT / ".ci" / "rtc", *arguments],
            env={"PATH": str(tmp_path), "HOME": os.environ.get("HOME", "/"), **env},
            capture_output=True,
            text=True,
            check=False,
        )

    return call


@pytest.mark.parametrize(
    ("cargo", "env", "said"),
    [
        ("", {}, "there is no cargo here: it needs Rust 1.85 or newer, https://rustup.rs"),
        ("1.84.1", {}, "cargo is 1.84.1: it needs Rust 1.85 or newer"),
        ("1.85.0", {}, "there is no C compiler here, which its cryptography needs: install gcc or clang"),
        ("1.85.0", {"CC": "no-such-compiler -O2"}, "there is no C compiler here"),
    ],
)
def test_what_is_missing_is_said(run, cargo, env, said):
    done = run("build", "no-folder", cargo=cargo, **env)
    assert done.returncode == 1
    assert done.stderr.startswith(f"drivers/rtc: {said}")
    assert done.stderr.count("\n") == 1
    lenient = run("build", "no-folder", "--where-cargo-is", cargo=cargo, **env)
    assert (lenient.returncode, lenient.stderr) == (0, done.stderr)
    assert run("build", "no-folder", "--where-cargo-is", cargo=cargo, REQUIRE_RTC="1", **env).returncode == 1
