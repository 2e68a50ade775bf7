"""The private livekit-server: found or built, loopback only, ours, and gone when we are."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from dcl_comms_drivers.realm import livekit_binary
from dcl_comms_drivers.realm.embedded import realm_in_thread
from dcl_comms_drivers.realm.livekit_binary import build_server, cache_dir, find_server
from dcl_comms_drivers.realm.livekit_server import LiveKitServer, ServerProblem, ServerUnavailable
from dcl_comms_drivers.realm.mint import PLAYER_GRANTS, mint_admin_token, mint_token
from rigs.drivers.livekit import settle

if TYPE_CHECKING:
    from collections.abc import Callable

LINUX = pytest.mark.skipif(not Path("/proc/net").is_dir(), reason="reads /proc")


def alive(pid: int) -> bool:
    """Whether a process exists and is not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def claims(token: str) -> dict[str, object]:
    body = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))  # type: ignore[no-any-return]


def listening(pid: int) -> set[tuple[str, str]]:
    """Every (protocol, address) at which a process can be reached."""
    inodes = set()
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            if match := re.fullmatch(r"socket:\[(\d+)\]", str(fd.readlink())):
                inodes.add(match[1])
    found = set()
    for protocol in ("tcp", "tcp6", "udp", "udp6"):
        path = Path(f"/proc/net/{protocol}")
        for line in path.read_text().splitlines()[1:] if path.exists() else []:
            fields = line.split()
            is_open = fields[3] == ("0A" if protocol.startswith("tcp") else "07")
            if fields[9] in inodes and is_open:
                found.add((protocol, fields[1].split(":")[0]))
    return found


# -- the running server


@LINUX
@pytest.mark.livekit
def test_it_listens_on_loopback_only(livekit_server: LiveKitServer) -> None:
    found = listening(livekit_server.pid)
    assert {protocol for protocol, _ in found} == {"tcp", "udp"}
    assert {address for _, address in found} == {"0100007F"}, found


@LINUX
@pytest.mark.livekit
def test_its_secret_is_not_in_any_argument(livekit_server: LiveKitServer) -> None:
    supervisor = Path(f"/proc/{livekit_server.pid}/stat").read_text().rsplit(")", 1)[1].split()[1]
    for pid in (livekit_server.pid, int(supervisor)):
        line = Path(f"/proc/{pid}/cmdline").read_bytes().decode()
        assert livekit_server.secret not in line
        assert livekit_server.key not in line
    assert livekit_server.secret not in repr(livekit_server)
    assert len(livekit_server.secret) >= 32


@pytest.mark.livekit
def test_only_its_own_keys_open_its_api(livekit_server: LiveKitServer, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(livekit_server.list_rooms(), list)
    monkeypatch.setattr(livekit_server, "secret", "x" * 40)
    with pytest.raises(ServerUnavailable) as caught:
        livekit_server.list_rooms()
    assert caught.value.problem is ServerProblem.REFUSED


@pytest.mark.livekit
def test_two_servers_run_side_by_side(livekit_server: LiveKitServer, private_livekit_server: LiveKitServer) -> None:
    assert livekit_server.port != private_livekit_server.port
    assert livekit_server.key != private_livekit_server.key


@LINUX
@pytest.mark.livekit
def test_kill_restart_stop(private_livekit_server: LiveKitServer) -> None:
    server = private_livekit_server
    first, url, key = server.pid, server.url, server.key
    server.kill()
    assert not server.alive
    assert not alive(first)
    with pytest.raises(ServerUnavailable):
        server.list_rooms()
    server.restart()
    assert (server.url, server.key) == (url, key)
    assert server.list_rooms() == []
    second = server.pid
    assert second != first
    server.stop()
    assert not alive(second)
    server.stop()


OWNER = """
import os, sys, time
from dcl_comms_drivers.realm.livekit_server import LiveKitServer
server = LiveKitServer.start(build=False)
print(server.pid, flush=True)
{then}
"""


def owned_server(then: str, **env: str) -> tuple[subprocess.Popen[str], int]:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER.format(then=textwrap.dedent(then))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **env},
    )
    assert owner.stdout is not None
    return owner, int(owner.stdout.readline())


@LINUX
@pytest.mark.livekit
@pytest.mark.parametrize(
    "then",
    [
        "time.sleep(60)",
        # A child that a fork made holds the other end of the watchdog's pipe open, until the test is over.
        "pid = os.fork()\nsys.stdin.read() if pid == 0 else time.sleep(60)",
    ],
    ids=["alone", "with a forked child"],
)
def test_it_dies_with_a_killed_owner_and_leaves_nothing(
    livekit_server: LiveKitServer, then: str, tmp_path: Path
) -> None:
    owner, pid = owned_server(then, TMPDIR=str(tmp_path))
    with owner:
        time.sleep(0.2)
        assert alive(pid)
        owner.send_signal(signal.SIGKILL)
        assert settle(lambda: not alive(pid), 40.0)
    assert list(tmp_path.iterdir()) == []


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@LINUX
@pytest.mark.livekit
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
def test_it_dies_with_its_supervisor(private_livekit_server: LiveKitServer, number: signal.Signals) -> None:
    server, pid = private_livekit_server, private_livekit_server.pid
    assert (server.alive, server.lost) == (True, False)
    os.kill(parent(pid), number)
    assert settle(lambda: not alive(pid), 40.0)
    assert settle(lambda: server.lost, 40.0)
    server.restart()
    assert (server.alive, server.lost, server.list_rooms()) == (True, False, [])
    server.kill()
    assert (server.alive, server.lost) == (False, False)


@LINUX
@pytest.mark.livekit
def test_a_stopped_supervisor_keeps_nothing_alive(private_livekit_server: LiveKitServer) -> None:
    pid = private_livekit_server.pid
    supervisor = parent(pid)
    os.kill(supervisor, signal.SIGSTOP)
    private_livekit_server.stop()
    # It was killed; that it is gone comes a moment later.
    assert settle(lambda: not alive(pid), 10.0)
    assert not alive(supervisor)


@LINUX
def test_what_a_script_starts_ends_too(tmp_path: Path) -> None:
    """A program that is named may be a script around it."""
    script = program(tmp_path / "server", f"/bin/sleep 60 &\necho $! > {tmp_path}/pid\nexit 1")
    with pytest.raises(ServerUnavailable):
        LiveKitServer.start(script)
    assert settle(lambda: not alive(int((tmp_path / "pid").read_text())), 40.0)


def test_it_gets_little_of_our_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """LiveKit takes keys and addresses from there, and the rest is nobody's business."""
    monkeypatch.setenv("LIVEKIT_KEYS", "key: secret")
    monkeypatch.setenv("A_PASSWORD", "secret")
    with pytest.raises(ServerUnavailable):
        LiveKitServer.start(program(tmp_path / "server", f"env > {tmp_path}/env"))
    names = {line.partition("=")[0] for line in (tmp_path / "env").read_text().splitlines()}
    assert {"PATH", "LIVEKIT_CONFIG"} <= names
    assert names <= {
        "HOME",
        "LANG",
        "LC_ALL",
        "LD_LIBRARY_PATH",
        "LIVEKIT_CONFIG",
        "PATH",
        "PWD",
        "SHLVL",
        "TMPDIR",
        "TZ",
        "_",
    }


@LINUX
@pytest.mark.livekit
def test_a_stranger_on_its_port_is_told_nothing(private_livekit_server: LiveKitServer) -> None:
    server, told, asked = private_livekit_server, [], threading.Event()

    def listen(stranger: socket.socket) -> None:
        while True:
            try:
                connection, _ = stranger.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(0.2)
                with suppress(OSError):
                    told.append(connection.recv(4096))

    server.kill()
    with socket.create_server(("127.0.0.1", server.port)) as stranger:
        thread = threading.Thread(target=listen, args=(stranger,))
        thread.start()
        with pytest.raises(ServerUnavailable):
            server.list_rooms()
        again = threading.Thread(target=lambda: (server.restart(), asked.set()))
        again.start()
        assert settle(lambda: server.pid != 0, 40.0)
        assert not asked.wait(1.0)  # it can't have the port
        stranger.shutdown(socket.SHUT_RDWR)
        thread.join()
    again.join()
    assert [one for one in told if one] == []
    assert server.list_rooms() == []


@LINUX
@pytest.mark.livekit
def test_a_forked_child_ends_nothing(livekit_server: LiveKitServer) -> None:
    """It may unwind our blocks, as sys.exit does, and use the server."""
    owner, pid = owned_server(
        """
        from dcl_comms_core import LocalProtocolError
        with server:
            child = os.fork()
            if child == 0:
                try:
                    server.kill()
                except LocalProtocolError:
                    sys.exit(0 if server.alive and server.list_rooms() == [] else 1)
                sys.exit(2)
            print(os.waitpid(child, 0)[1], flush=True)
            print(int(server.alive and server.list_rooms() == []), flush=True)
        """
    )
    with owner:
        assert owner.stdout is not None
        assert [owner.stdout.readline().strip() for _ in range(2)] == ["0", "1"]
        assert settle(lambda: not alive(pid), 40.0)


@LINUX
@pytest.mark.livekit
def test_it_dies_with_an_owner_that_forgets_it(livekit_server: LiveKitServer) -> None:
    owner, pid = owned_server("os._exit(0)")
    with owner:
        assert settle(lambda: not alive(pid), 40.0)


@LINUX
@pytest.mark.livekit
def test_the_end_of_the_starting_thread_is_not_its_end(livekit_server: LiveKitServer) -> None:
    owner, _ = owned_server(
        """
        import threading
        more = []
        thread = threading.Thread(target=lambda: more.append(LiveKitServer.start(build=False)))
        thread.start()
        thread.join()
        time.sleep(1.0)
        print(int(more[0].alive and more[0].list_rooms() == []), flush=True)
        """
    )
    with owner:
        assert owner.stdout is not None
        assert owner.stdout.readline().strip() == "1"


def test_a_program_that_ends_at_once_is_reported() -> None:
    with pytest.raises(ServerUnavailable) as caught:
        LiveKitServer.start(Path("/bin/false"))
    assert caught.value.problem is ServerProblem.NOT_STARTED
    assert "\n" not in str(caught.value)


# -- finding and building


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No server anywhere, no Go, an empty cache; returns the one folder on PATH."""
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setenv("DCL_COMMS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("LIVEKIT_SERVER", raising=False)
    monkeypatch.setattr(livekit_binary, "PROGRESS_SECONDS", 0.1)
    return programs


def program(path: Path, script: str) -> Path:
    path.write_text(f"#!/bin/sh\n{textwrap.dedent(script)}")
    path.chmod(0o755)
    return path


def fake_go(folder: Path, install: str, version: str = "go1.26.1") -> None:
    program(folder / "go", f'if [ "$1" = env ]; then echo {version}; exit 0; fi\n{install}')


def test_the_environment_names_the_program(clean: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = program(clean / "mine", "exit 0")
    monkeypatch.setenv("LIVEKIT_SERVER", str(path))
    assert find_server() == path
    monkeypatch.setenv("LIVEKIT_SERVER", str(clean / "nothing"))
    with pytest.raises(ServerUnavailable, match="LIVEKIT_SERVER"):
        find_server()


def test_then_the_path_then_the_cache(clean: Path) -> None:
    assert find_server() is None
    cache_dir().mkdir()
    cached = program(cache_dir() / "livekit-server-1.13.5", "exit 0")
    assert find_server() == cached
    on_path = program(clean / "livekit-server", "exit 0")
    assert find_server() == on_path


def test_not_building_says_how_to(clean: Path) -> None:
    with pytest.raises(ServerUnavailable) as caught:
        LiveKitServer.start()
    assert caught.value.problem is ServerProblem.NOT_FOUND
    assert all(way in str(caught.value) for way in ("LIVEKIT_SERVER", "PATH", "--build", "livekit_binary"))


@pytest.mark.parametrize(
    ("go", "problem"),
    [
        (None, ServerProblem.NO_GO),
        (("exit 1", "go1.20.3"), ServerProblem.GO_TOO_OLD),
        (("echo 'go: x requires go >= 1.26 (running go 1.22)' >&2; exit 1",), ServerProblem.GO_TOO_OLD),
        (("echo 'go: x: dial tcp: lookup example.test: no such host' >&2; exit 1",), ServerProblem.DOWNLOAD_FAILED),
        (("echo 'go: downloading a v1: b'; echo 'x.go:1: undefined: y' >&2; exit 1",), ServerProblem.BUILD_FAILED),
        (("exit 2",), ServerProblem.BUILD_FAILED),
    ],
    ids=lambda value: value.name if isinstance(value, ServerProblem) else "",
)
def test_each_reason_not_to_build_is_one_line(clean: Path, go: tuple[str, ...] | None, problem: ServerProblem) -> None:
    if go is not None:
        fake_go(clean, *go)
    with pytest.raises(ServerUnavailable) as caught:
        build_server(progress=lambda _: None)
    assert caught.value.problem is problem
    assert "\n" not in str(caught.value)
    assert not list(cache_dir().glob("build-*"))
    assert find_server() is None


BUILDS = """
echo "$2" >> "$GOBIN/../calls"
/bin/sleep 0.5
echo x > "$GOBIN/server"
/bin/chmod 755 "$GOBIN/server"
"""


def test_it_is_built_once_with_progress(clean: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fake_go(clean, BUILDS)
    path = build_server()
    assert path == cache_dir() / "livekit-server-1.13.5"
    assert os.access(path, os.X_OK)
    shown = capsys.readouterr()
    assert "still building" in shown.err
    assert shown.out == ""
    assert build_server() == find_server() == path
    assert (cache_dir() / "calls").read_text().splitlines() == ["github.com/livekit/livekit-server/cmd/server@v1.13.5"]


def test_two_processes_build_it_once(clean: Path) -> None:
    fake_go(clean, BUILDS)
    code = "from dcl_comms_drivers.realm.livekit_binary import build_server; print(build_server())"
    builders = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for _ in range(2)
    ]
    answers = [builder.communicate()[0].strip() for builder in builders]
    assert answers == [str(cache_dir() / "livekit-server-1.13.5")] * 2
    assert (cache_dir() / "calls").read_text().count("\n") == 1


def test_the_cache_is_that_of_the_checkout_with_this_code_or_of_the_user(
    clean: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DCL_COMMS_CACHE")
    monkeypatch.chdir(a_checkout(clean / "another") / "tests")
    assert cache_dir() == Path(__file__).parents[3] / ".cache"
    monkeypatch.setattr(livekit_binary, "__file__", str(clean / "site-packages/dcl_comms_drivers/realm/x.py"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(clean / "xdg"))
    assert cache_dir() == clean / "xdg" / "dcl-comms"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(clean))
    assert cache_dir() == clean / ".cache" / "dcl-comms"
    # As the specification of these folders wants it.
    monkeypatch.setenv("XDG_CACHE_HOME", "xdg")
    assert cache_dir() == clean / ".cache" / "dcl-comms"


# -- whose program it is


def a_checkout(folder: Path) -> Path:
    """What looks like a checkout of this project, with a server in its cache that leaves a mark."""
    for name in ("dcl_comms_core", ".cache", "tests"):
        (folder / name).mkdir(parents=True)
    (folder / "pyproject.toml").touch()
    program(folder / ".cache" / "livekit-server-1.13.5", f": > {folder}/marked")
    return folder


@pytest.mark.parametrize(
    "command",
    [
        ["-m", "dcl_comms_station", "realm", "--media"],
        ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "dcl_comms_drivers.pytest_plugin", "test_it.py"],
        ["-c", "from dcl_comms_drivers.realm.livekit_server import LiveKitServer as S; S.start()"],
    ],
    ids=["command", "fixture", "program"],
)
def test_nothing_of_a_folder_above_the_working_directory_is_run(tmp_path: Path, command: list[str]) -> None:
    """CWE-426, by way of everything that starts a server; our own checkout's cache may have one, so we are in none."""
    drivers = Path(livekit_binary.__file__).parents[1]
    shutil.copytree(drivers, tmp_path / "site" / drivers.name)
    folder = a_checkout(tmp_path / "somebodys")
    below = folder / "tests"
    (below / "test_it.py").write_text("def test_it(dcl_livekit): pass\n")
    (below / "livekit-server").symlink_to(folder / ".cache" / "livekit-server-1.13.5")
    env = {name: value for name, value in os.environ.items() if name not in {"LIVEKIT_SERVER", "REQUIRE_LIVEKIT"}}
    # Entries of PATH that mean the working directory are no better.
    env |= {"PATH": ":.:tests", "HOME": str(tmp_path), "PYTHONPATH": str(tmp_path / "site")}
    env |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "XDG_CACHE_HOME": "", "DCL_COMMS_CACHE": ""}
    done = subprocess.run(
        [sys.executable, *command], cwd=below, env=env, capture_output=True, text=True, check=False, timeout=50
    )
    assert not (folder / "marked").exists()
    told = done.stdout + done.stderr
    assert "--build" in told or "1 skipped" in told, told


@pytest.mark.parametrize("wide", [0o775, 0o757, 0o777], ids=oct)
@pytest.mark.parametrize("what", ["folder", "program"])
def test_what_others_may_write_to_is_not_run(clean: Path, what: str, wide: int) -> None:
    cache_dir().mkdir(mode=0o755)
    cached = program(cache_dir() / "livekit-server-1.13.5", "exit 0")
    assert find_server() == cached
    (cached if what == "program" else cache_dir()).chmod(wide)
    for find in (find_server, build_server):
        with pytest.raises(ServerUnavailable, match="others may write") as caught:
            find()
        assert caught.value.problem is ServerProblem.NOT_TRUSTED


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("what", ["folder", "program", "link"])
def test_what_belongs_to_somebody_else_is_not_run(clean: Path, what: str) -> None:
    kept = clean / "kept"
    kept.mkdir()
    cache_dir().symlink_to(kept)  # as that of a worktree, to the one that all share
    cached = program(cache_dir() / "livekit-server-1.13.5", "exit 0")
    assert find_server() == cached
    os.chown({"folder": kept, "program": cached, "link": cache_dir()}[what], 12345, 12345, follow_symlinks=False)
    with pytest.raises(ServerUnavailable, match="somebody else"):
        find_server()


def test_a_program_that_is_named_is_looked_at_too(clean: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = program(clean / "mine", "exit 0")
    monkeypatch.setenv("LIVEKIT_SERVER", str(mine))
    mine.chmod(0o757)
    with pytest.raises(ServerUnavailable, match="others may write"):
        find_server()
    mine.chmod(0o755)
    clean.chmod(0o757)
    with pytest.raises(ServerUnavailable, match="everybody may write"):
        find_server()
    clean.chmod(0o1777)  # sticky, as the temporary folder
    assert find_server() == mine
    monkeypatch.setenv("LIVEKIT_SERVER", "mine")
    assert find_server() == mine  # by PATH


@pytest.mark.parametrize("variable", ["LIVEKIT_SERVER", "DCL_COMMS_CACHE"])
def test_what_would_be_another_in_each_working_directory_is_refused(
    clean: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.chdir(clean)
    program(clean / "livekit-server-1.13.5", "exit 0")
    monkeypatch.setenv(variable, "./livekit-server-1.13.5" if variable == "LIVEKIT_SERVER" else ".")
    with pytest.raises(ServerUnavailable, match=f"{variable} has to be an absolute path"):
        find_server()


def test_a_program_on_the_path_of_which_nobody_is_master(clean: Path) -> None:
    on_path = program(clean / "livekit-server", "exit 0")
    on_path.chmod(0o777)
    with pytest.raises(ServerUnavailable, match="others may write"):
        find_server()


def test_a_build_is_nobody_elses_whatever_the_umask(clean: Path) -> None:
    fake_go(clean, BUILDS)
    before = os.umask(0o000)
    try:
        path = build_server(progress=lambda _: None)
    finally:
        os.umask(before)
    assert find_server() == path
    assert [oct(one.stat().st_mode & 0o777) for one in (path, path.parent)] == ["0o755", "0o755"]


def test_a_cache_that_can_not_be_made(clean: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DCL_COMMS_CACHE", str(program(clean / "a file", "")))
    with pytest.raises(ServerUnavailable, match="no folder") as caught:
        build_server()
    assert caught.value.problem is ServerProblem.BUILD_FAILED


@pytest.mark.parametrize("how", ["start", "realm"])
def test_it_is_built_only_when_that_is_asked_for(clean: Path, how: str) -> None:
    fake_go(clean, BUILDS.replace("echo x >", "echo exit 3 >"))

    def begin(**options: bool) -> None:
        with pytest.raises(ServerUnavailable) as caught:
            if how == "start":
                LiveKitServer.start(**options)
            else:
                with realm_in_thread(livekit=True, **options):
                    pass
        problems.append(caught.value.problem)

    problems: list[ServerProblem] = []
    begin()
    assert not cache_dir().exists()
    begin(build=True)
    assert problems == [ServerProblem.NOT_FOUND, ServerProblem.NOT_STARTED]


# -- tokens


def test_a_token_says_what_a_player_may() -> None:
    body = claims(mint_token("key", "secret", "0xA", "plaza", ttl=60, now=1000.0, name="A", metadata="{}"))
    assert body == {
        "iss": "key",
        "sub": "0xA",
        "nbf": 990,
        "exp": 1060,
        "name": "A",
        "metadata": "{}",
        "video": {"room": "plaza", **PLAYER_GRANTS},
    }


@pytest.mark.parametrize("mint", [mint_token, mint_admin_token])
def test_a_token_is_signed(mint: Callable[..., str]) -> None:
    one = mint("k", "s", identity="a", room="r", now=1.0) if mint is mint_token else mint("k", "s", now=1.0)
    two = mint("k", "t", identity="a", room="r", now=1.0) if mint is mint_token else mint("k", "t", now=1.0)
    assert one.rsplit(".", 1)[0] == two.rsplit(".", 1)[0]
    assert one.rsplit(".", 1)[1] != two.rsplit(".", 1)[1]


def test_grants_are_changed_and_removed() -> None:
    video = claims(mint_token("k", "s", "a", "r", canPublish=False, canUpdateOwnMetadata=None))["video"]
    assert video == {"room": "r", "roomJoin": True, "canPublish": False, "canSubscribe": True, "canPublishData": True}


def test_an_expired_token_began_before_it_ended() -> None:
    body = claims(mint_token("k", "s", "a", "r", ttl=-100.0, now=1000.0))
    assert (body["nbf"], body["exp"]) == (890, 900)


def test_an_admin_token_manages_one_room() -> None:
    assert claims(mint_admin_token("k", "s", room="r"))["video"] == {
        "roomList": True,
        "roomCreate": True,
        "roomAdmin": True,
        "room": "r",
    }
