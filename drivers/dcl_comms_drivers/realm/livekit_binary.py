"""Find the livekit-server program, or build it once with Go.

Looked for in this order: the environment's ``LIVEKIT_SERVER``, ``livekit-server`` on PATH, our cache.  The cache is
``DCL_COMMS_CACHE``, or ``.cache`` in a checkout of this project, or the user's cache directory.  Building takes one to
three minutes and 75 MB, once; run ``python -m dcl_comms_drivers.realm.livekit_binary`` to do it ahead of time.
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

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

__all__ = ["LIVEKIT_SERVER_VERSION", "ServerProblem", "ServerUnavailable", "build_server", "cache_dir", "find_server"]

LIVEKIT_SERVER_VERSION: Final = "1.13.5"
"""The version that is built; later ones carry replace directives, which ``go install`` refuses."""

_MODULE: Final = "github.com/livekit/livekit-server/cmd/server"
_GO_NEEDED: Final = (1, 26)
_GO_SELECTS_ITSELF: Final = (1, 21)
PROGRESS_SECONDS: Final = 5.0
_BUILD_SECONDS: Final = 1200.0
_TOO_OLD = re.compile(r"requires go >= ?|go\.mod file indicates go|toolchain not available")
_DOWNLOAD = re.compile(
    r"dial tcp|proxyconnect|no such host|i/o timeout|connection (refused|reset)|TLS handshake|tls: |x509:|"
    r"network is unreachable|unexpected EOF|unrecognized import path|verifying module|"
    r"reading https?://|: 4\d\d |: 5\d\d |module lookup disabled"
)


class ServerProblem(Enum):
    """Why there is no livekit-server."""

    NOT_FOUND = "livekit-server was not found"
    NO_GO = "building livekit-server needs Go, which is not installed"
    GO_TOO_OLD = "building livekit-server needs Go 1.26 or newer"
    DOWNLOAD_FAILED = "the sources of livekit-server could not be downloaded"
    BUILD_FAILED = "livekit-server could not be built"
    NOT_STARTED = "livekit-server did not start"
    REFUSED = "livekit-server refused a request"


class ServerUnavailable(CommsError):
    """There is no livekit-server to use.  ``problem`` says why, ``detail`` is one line for people."""

    def __init__(self, problem: ServerProblem, detail: str = "") -> None:
        super().__init__(problem, detail)
        self.problem = problem
        self.detail = detail

    def __str__(self) -> str:
        return clean(f"{self.problem.value}: {self.detail}" if self.detail else self.problem.value)


def cache_dir() -> Path:
    """Where a built livekit-server is kept."""
    named = os.environ.get("DCL_COMMS_CACHE", "")
    if named:
        return Path(named)
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "dcl_comms_core").is_dir() and (folder / "pyproject.toml").is_file():
            return folder / ".cache"
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base else Path.home() / ".cache") / "dcl-comms"


def find_server() -> Path | None:
    """Return the program's path, or None when it is nowhere; never builds it."""
    named = os.environ.get("LIVEKIT_SERVER", "")
    if named:
        found = shutil.which(named)
        if found is None:
            raise ServerUnavailable(ServerProblem.NOT_FOUND, "LIVEKIT_SERVER does not name a program")
        return Path(found)
    on_path = shutil.which("livekit-server")
    if on_path is not None:
        return Path(on_path)
    cached = _cached()
    return cached if os.access(cached, os.X_OK) else None


def build_server(progress: Callable[[str], object] | None = None) -> Path:
    """Build livekit-server into the cache unless it is there, and return its path.

    One process builds at a time, the others wait for it.  ``progress`` gets a line every few seconds; by default they
    go to standard error.
    """
    say = _to_stderr if progress is None else progress
    target = _cached()
    target.parent.mkdir(parents=True, exist_ok=True)
    with _only_one(target.parent / "livekit-server.lock", say):
        if not os.access(target, os.X_OK):
            _build(_go(), target, say)
    return target


def _cached() -> Path:
    return cache_dir() / f"livekit-server-{LIVEKIT_SERVER_VERSION}"


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


def _go() -> str:
    go = shutil.which("go")
    if go is None:
        raise ServerUnavailable(ServerProblem.NO_GO, f"install Go {_dotted(_GO_NEEDED)} or set LIVEKIT_SERVER")
    asked = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=False)  # noqa: S603  # go itself
    match = re.match(r"go(\d+)\.(\d+)", asked.stdout)
    # From 1.21 on Go fetches the toolchain that a module asks for, unless it is told not to.
    if match is None or (int(match[1]), int(match[2])) < _GO_SELECTS_ITSELF:
        raise ServerUnavailable(ServerProblem.GO_TOO_OLD, f"found {asked.stdout.strip() or 'an unreadable version'}")
    return go


def _build(go: str, target: Path, say: Callable[[str], object]) -> None:
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
        ) as process:
            try:
                _watch(process, say)
            except BaseException:
                process.kill()
                raise
        log.seek(0)
        if process.returncode != 0:
            raise _explain(log.read())
        Path(folder, "server").rename(target)
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
