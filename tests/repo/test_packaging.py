"""The wheel and the sdist: built, installed into fresh environments, imported, on every supported interpreter."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.timeout(240)


def interpreters():
    """Every supported Python that is on this machine: on PATH, or under pyenv."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for version in ("3.11", "3.12", "3.13"):
        candidates = [
            shutil.which(f"python{version}"),
            *(str(path) for path in sorted(pyenv.glob(f"{version}.*/bin/python"))),
        ]
        for candidate in filter(None, candidates):
            done = subprocess.run(
                [candidate, "-c", "import sys, ensurepip; print('%d.%d' % sys.version_info[:2])"],
                capture_output=True,
                text=True,
                check=False,
            )
            if done.stdout.strip() == version:
                yield version, candidate
                break
        else:
            yield version, None


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """An sdist, and the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("dist")
    done = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = folder.glob("*.whl")
    (sdist,) = folder.glob("*.tar.gz")
    return wheel, sdist


def test_the_wheel_holds_the_packages_and_nothing_else(built):
    wheel, _ = built
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {"dcl_comms_core", "dcl_comms_drivers", "dcl_comms_station"} <= tops
    assert all(top.startswith("dcl_comms") for top in tops)
    assert "dcl_comms_rtc" not in tops, "a distribution of its own"
    for package in ("dcl_comms_core", "dcl_comms_drivers", "dcl_comms_station"):
        assert f"{package}/py.typed" in names
    assert not [name for name in names if "__pycache__" in name or "/test_" in name]
    metadata = zipfile.ZipFile(wheel).read(next(name for name in names if name.endswith("METADATA"))).decode()
    for extra in ("livekit", "trio", "net", "wallet", "realm", "cli", "testing", "numpy", "all"):
        assert f"Provides-Extra: {extra}" in metadata
    entries = zipfile.ZipFile(wheel).read(next(name for name in names if name.endswith("entry_points.txt"))).decode()
    assert "[pytest11]\ndcl_comms = dcl_comms_drivers.pytest_plugin\n" in entries
    required = [line for line in metadata.splitlines() if line.startswith("Requires-Dist") and "extra ==" not in line]
    assert [line.split()[1].split("<")[0].split(">")[0] for line in required] == ["betterproto2"]


def test_the_sdist_can_be_built_from(built):
    _, sdist = built
    names = tarfile.open(sdist).getnames()
    for wanted in (
        "pyproject.toml",
        "docs/faults.md",
        "docs/upgrading.md",
        "examples/echo_asyncio.py",
        "LICENSE",
        "README.md",
        "drivers/dcl_comms_drivers/loops/pump.py",
        "dcl_comms_core/room/session.py",
    ):
        assert any(name.endswith(wanted) for name in names), wanted
    # A distribution of its own.
    assert [name for name in names if name.endswith((".rs", "Cargo.lock")) or "/drivers/rtc" in name] == []


CHECK = """
import importlib, pkgutil, sys
import dcl_comms_core, dcl_comms_drivers, dcl_comms_station
for module in pkgutil.walk_packages(dcl_comms_core.__path__, "dcl_comms_core."):
    if not module.name.endswith("strategies"):
        importlib.import_module(module.name)
import dcl_comms_drivers.asyncio, dcl_comms_drivers.polled
from dcl_comms_core.testing import Pair
from dcl_comms_core import ChatReceived
assert "site-packages" in dcl_comms_core.__file__
import shutil
from dcl_comms_core.codec import active, native_problem
assert active() == ("native" if shutil.which("cc") else "python"), native_problem()
pair = Pair(seed=1)
pair.open()
pair.a.session.chat("hello")
pair.run(1.0)
assert [event.text for event in pair.b.take_events() if isinstance(event, ChatReceived)] == ["hello"]
print("fine")
"""


@pytest.mark.parametrize(
    "version",
    ["3.11", pytest.param("3.12", marks=pytest.mark.nightly), pytest.param("3.13", marks=pytest.mark.nightly)],
)
def test_the_package_works_in_a_fresh_environment(built, version, tmp_path):
    wheel, sdist = built
    # The wheel holds a native codec for this interpreter; others build theirs from the sdist, as pip does.
    package = wheel if version == ".".join(map(str, sys.version_info[:2])) or "none-any" in wheel.name else sdist
    python = dict(interpreters())[version]
    if python is None:
        if os.environ.get("CI"):
            pytest.fail(f"there is no Python {version} here")
        pytest.skip(f"there is no Python {version} here")
    subprocess.run([python, "-m", "venv", str(tmp_path / "env")], check=True)
    inside = str(tmp_path / "env" / "bin" / "python")
    done = subprocess.run(
        [inside, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", str(package)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    done = subprocess.run([inside, "-c", CHECK], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "fine\n"), done.stderr
    # Without the extra, the command says what to install.
    command = subprocess.run([str(tmp_path / "env" / "bin" / "dcl-comms")], capture_output=True, text=True, check=False)
    assert command.returncode == 2
    assert "dcl-comms[cli]" in command.stderr
