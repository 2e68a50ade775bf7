"""Find the livekit-server program, or build it once with Go, for who asks for that.

Looked for in this order: the environment's ``LIVEKIT_SERVER``, ``livekit-server`` on PATH, our cache.  The cache is
``DCL_COMMS_CACHE``, or ``.cache`` in the checkout that this file is in, or the user's cache directory.  The working
directory has no say in it, and what others could have put there is not run (see ``trust.py``).

Building downloads sources and takes one to three minutes and 75 MB, once.  Nothing does it by itself: run
``python -m dcl_comms_drivers.realm.livekit_binary``, ``dcl-comms realm --build``, or give ``build=True``.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dcl_comms_core.errors import CommsError
from dcl_comms_core.printable import clean
from dcl_comms_drivers.realm.trust import distrusted, distrusted_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

__all__ = ["LIVEKIT_SERVER_VERSION", "ServerProblem", "ServerUnavailable", "build_server", "cache_dir", "find_server"]

LIVEKIT_SERVER_VERSION: Final = "1.13.5"
"""The version that is built; later ones carry replace directives, which ``go install`` refuses."""

_NAME: Final = "livekit-server"
_MODULE: Final = "github.com/livekit/livekit-server/cmd/server"
_GO_NEEDED: Final = (1, 26)
_GO_SELECTS_ITSELF: Final = (1, 21)
PROGRESS_SECONDS: Final = 5.0
_BUILD_SECONDS: Final = 1200.0
_OURS: Final = 0o755
"""Modes of the cache and of what is in it, whatever the umask."""
_TOO_OLD = re.compile(r"requires go >= ?|go\.mod file indicates go|toolchain not available")
_DOWNLOAD = re.compile(
    r"dial tcp|proxyconnect|no such host|i/o timeout|connection (refused|reset)|TLS handshake|tls: |x509:|"
    r"network is unreachable|unexpected EOF|unrecognized import path|verifying module|"
    r"reading https?://|: 4\d\d |: 5\d\d |module lookup disabled"
)


class ServerProblem(Enum):
    """Why there is no livekit-server."""

    NOT_FOUND = "livekit-server was not found"
    NOT_TRUSTED = "livekit-server is not run from there"
    NO_GO = "building livekit-server needs Go, which is not installed"
    GO_TOO_OLD = "building livekit-server needs Go 1.26 or newer"
    DOWNLOAD_FAILED = "the sources of livekit-server could not be downloaded"
    BUILD_FAILED = "livekit-server could not be built"
    NOT_STARTED = "livekit-server did not start"
    REFUSED = "livekit-server refused a request"
    ENDED = "livekit-server has ended by itself"


class ServerUnavailable(CommsError):
    """There is no livekit-server to use.  ``problem`` says why, ``detail`` is one line for people."""

    def __init__(self, problem: ServerProblem, detail: str = "") -> None:
        super().__init__(problem, detail)
        self.problem = problem
        self.detail = detail

    def __str__(self) -> str:
        return clean(f"{self.problem.value}: {self.detail}" if self.detail else self.problem.value)


def cache_dir() -> Path:
    """Where a built livekit-server is kept.  ServerUnavailable: ``DCL_COMMS_CACHE`` is no absolute path."""
    named = os.environ.get("DCL_COMMS_CACHE", "")
    if named:
        return _absolute("DCL_COMMS_CACHE", named)
    checkout = _checkout()
    if checkout is not None:
        return checkout / ".cache"
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (base if base.is_absolute() else Path.home() / ".cache") / "dcl-comms"


def _checkout() -> Path | None:
    """The checkout that this code runs from.  Any other, above the working directory say, is somebody's folder."""
    here = Path(__file__).resolve()
    root, layer = here.parents[3], here.parents[2]
    is_one = layer.name == "drivers" and (root / "dcl_comms_core").is_dir() and (root / "pyproject.toml").is_file()
    return root if is_one else None


def find_server() -> Path | None:
    """Return the program's path, or None when it is nowhere; never builds it.

    ServerUnavailable: ``LIVEKIT_SERVER`` names none, or the one that was found is not to be trusted.
    """
    named = os.environ.get("LIVEKIT_SERVER", "")
    if named:
        found = _on_path(named) if os.sep not in named else _program(_absolute("LIVEKIT_SERVER", named))
        if found is None:
            raise ServerUnavailable(ServerProblem.NOT_FOUND, "LIVEKIT_SERVER does not name a program")
        return _trusted(found)
    on_path = _on_path(_NAME)
    if on_path is not None:
        return _trusted(on_path)
    cached = _program(_cached())
    if cached is None:
        return None
    _require(distrusted_folder(cached.parent))
    return _trusted(cached)


def _absolute(variable: str, value: str) -> Path:
    path = Path(value)
    if not path.is_absolute():
        # It would be another one in each working directory.
        raise ServerUnavailable(ServerProblem.NOT_FOUND, f"{variable} has to be an absolute path")
    return path


def _program(path: Path) -> Path | None:
    return path if path.is_file() and os.access(path, os.X_OK) else None


def _on_path(name: str) -> Path | None:
    """As a shell does it, but for entries that mean the working directory or are relative to it."""
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    found = shutil.which(name, path=os.pathsep.join(folder for folder in folders if Path(folder).is_absolute()))
    return None if found is None else Path(found)


def _trusted(program: Path) -> Path:
    _require(distrusted(program))
    return program


def _require(problem: str | None) -> None:
    if problem is not None:
        raise ServerUnavailable(ServerProblem.NOT_TRUSTED, problem)


def build_server(progress: Callable[[str], object] | None = None) -> Path:
    """Build livekit-server into the cache unless it is there, and return its path.

    One process builds at a time, the others wait for it.  ``progress`` gets a line every few seconds; by default they
    go to standard error.  ServerUnavailable: it can't be built, or not kept where nobody else can change it.
    """
    say = _to_stderr if progress is None else progress
    target = _cached()
    folder = target.parent
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=_OURS, exist_ok=True)
    except OSError as error:
        raise ServerUnavailable(ServerProblem.BUILD_FAILED, f"no folder {folder}: {error.strerror}") from None
    _require(distrusted_folder(folder))
    with _only_one(folder / "livekit-server.lock", say):
        if _program(target) is None:
            _build(_go(), target, say)
    return _trusted(target)


def _cached() -> Path:
    return cache_dir() / f"{_NAME}-{LIVEKIT_SERVER_VERSION}"


def _to_stderr(line: str) -> None:
    print(clean(line), file=sys.stderr, flush=True)  # noqa: T201  # progress of a long build is what stderr is for


@contextmanager
def _only_one(lock: Path, say: Callable[[str], object]) -> Generator[None]:
    with lock.open("w") as held:
        started = told = time.monotonic()
        while True:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() - told >= PROGRESS_SECONDS:
                    told = time.monotonic()
                    say(f"waiting for another process that builds livekit-server ({told - started:.0f} s)")
                time.sleep(0.2)
        yield


def _go() -> Path:
    go = _on_path("go")
    if go is None:
        raise ServerUnavailable(ServerProblem.NO_GO, f"install Go {_dotted(_GO_NEEDED)} or set LIVEKIT_SERVER")
    # Not in the working directory, whose go.mod could choose another toolchain.
    asked = subprocess.run(  # noqa: S603  # go itself
        [go, "env", "GOVERSION"], capture_output=True, text=True, check=False, cwd=cache_dir()
    )
    match = re.match(r"go(\d+)\.(\d+)", asked.stdout)
    # From 1.21 on Go fetches the toolchain that a module asks for, unless it is told not to.
    if match is None or (int(match[1]), int(match[2])) < _GO_SELECTS_ITSELF:
        raise ServerUnavailable(ServerProblem.GO_TOO_OLD, f"found {asked.stdout.strip() or 'an unreadable version'}")
    return go


def _build(go: Path, target: Path, say: Callable[[str], object]) -> None:
    say(f"building livekit-server {LIVEKIT_SERVER_VERSION} once, with Go; this takes a minute or three")
    with (
        tempfile.TemporaryDirectory(dir=target.parent, prefix="build-") as folder,
        (Path(folder) / "go.log").open("w+", encoding="utf-8", errors="replace") as log,
    ):
        env = {**os.environ, "GOBIN": folder, "CGO_ENABLED": "0"}
        with subprocess.Popen(  # noqa: S603  # go itself, with arguments that are all ours
            [go, "install", f"{_MODULE}@v{LIVEKIT_SERVER_VERSION}"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=env,
            cwd=folder,
        ) as process:
            try:
                _watch(process, say)
            except BaseException:
                process.kill()
                raise
        log.seek(0)
        if process.returncode != 0:
            raise _explain(log.read())
        built = Path(folder, "server")
        built.chmod(_OURS)
        built.rename(target)
    say(f"built {target.name}")


def _watch(process: subprocess.Popen[bytes], say: Callable[[str], object]) -> None:
    started = time.monotonic()
    while True:
        try:
            process.wait(PROGRESS_SECONDS)
        except subprocess.TimeoutExpired:
            elapsed = time.monotonic() - started
            if elapsed > _BUILD_SECONDS:
                raise ServerUnavailable(ServerProblem.BUILD_FAILED, f"not done after {elapsed:.0f} s") from None
            say(f"still building livekit-server ({elapsed:.0f} s)")
        else:
            return


def _explain(output: str) -> ServerUnavailable:
    lines = [line.strip() for line in output.splitlines() if line.strip() and not line.startswith("go: downloading ")]
    last = lines[-1][:300] if lines else "no output"
    if _TOO_OLD.search(output):
        return ServerUnavailable(ServerProblem.GO_TOO_OLD, last)
    if _DOWNLOAD.search("\n".join(lines)):
        return ServerUnavailable(ServerProblem.DOWNLOAD_FAILED, last)
    return ServerUnavailable(ServerProblem.BUILD_FAILED, last)


def _dotted(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))


if __name__ == "__main__":
    try:
        print(find_server() or build_server())  # noqa: T201  # the answer of this command
    except ServerUnavailable as error:
        sys.exit(str(error))
