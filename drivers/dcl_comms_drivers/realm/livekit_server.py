"""A private livekit-server: loopback only, keys of its own, gone when we are.

    with LiveKitServer.start() as server:
        target = server.connection_string("0xalice", "plaza")

Everything here blocks for as long as it takes and needs no event loop; call it before one runs, or in a thread.
The key and the secret reach the server through its environment, which has little else in it, and never through
arguments.  No request is sent before the process that was started listens at its port.  It ends by ``stop()``, at the
end of the ``with`` block, or when this process or the supervisor between them dies in whatever way (see
``supervisor.py``).  A forked child may use it, and does not end it.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self, cast

from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_drivers.realm.listeners import listens
from dcl_comms_drivers.realm.livekit_binary import ServerProblem, ServerUnavailable, build_server, find_server
from dcl_comms_drivers.realm.mint import mint_admin_token
from dcl_comms_drivers.realm.room_service import RoomService

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dcl_comms_drivers.realm.room_service import Answer

__all__ = ["LiveKitServer", "ServerProblem", "ServerUnavailable"]

_HOST: Final = "127.0.0.1"
_ATTEMPTS: Final = 5
_START_SECONDS: Final = 20.0
_REQUEST_SECONDS: Final = 5.0
_TERM_GRACE_SECONDS: Final = 0.5
_KILL_SECONDS: Final = 5.0
_SUPERVISOR: Final = Path(__file__).with_name("supervisor.py")
_HTTP_OK: Final = 200
_HOW_TO_GET_IT: Final = (
    "name one in LIVEKIT_SERVER or put it on PATH; or have it built once with Go, some minutes and 75 MB, by "
    "dcl-comms realm --build, python -m dcl_comms_drivers.realm.livekit_binary, or build=True"
)
_DISCARD_PORT: Final = 9
_PASSED_ON: Final = ("HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "TMPDIR", "TZ")
"""Of our environment: LiveKit takes settings from it, and the rest is not its business."""


class LiveKitServer(RoomService):
    """One running livekit-server; made by :meth:`start`.

    ``url`` is its WebSocket address, ``udp_port`` takes the media, ``key`` and ``secret`` sign its tokens, ``pid`` is
    its process.
    """

    def __init__(self, program: Path, *, empty_timeout: int, departure_timeout: int, node_ip: str = _HOST) -> None:
        super().__init__()
        self.pid = 0
        self._program = program
        self._empty_timeout = empty_timeout
        self._departure_timeout = departure_timeout
        self._node_ip = node_ip
        self._tcp = self._tcp_only = False
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = os.getpid()
        self._was_up = False
        self._handle: int | None = None
        """The process of ``pid`` and no other, whosever that number is later; None: the system has no such thing."""
        # Without a name: nothing is left of it, however we end.
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  # closed by stop()

    @classmethod
    def start(
        cls,
        program: Path | None = None,
        *,
        build: bool = False,
        empty_timeout: int = 300,
        departure_timeout: int = 20,
        node_ip: str = _HOST,
        tcp: bool = False,
        tcp_only: bool = False,
    ) -> Self:
        """Start a server and return it once it has proved to be ours.

        ``program`` is found when it is not given, or with ``build`` downloaded and compiled, which takes minutes the
        first time.  The timeouts are whole seconds after which
        the server closes a room that nobody joined, or that everybody left.  ``node_ip`` is where clients are told to
        send media, when something forwards that to loopback.  For network namespaces, as every network reaches the
        ports: ``tcp``: media by TCP too, and all of it at ``node_ip`` itself; ``tcp_only``: by TCP alone.  Raises
        ServerUnavailable.
        """
        if program is None:
            program = find_server()
        if program is None:
            if not build:
                raise ServerUnavailable(ServerProblem.NOT_FOUND, _HOW_TO_GET_IT)
            program = build_server()
        server = cls(program, empty_timeout=empty_timeout, departure_timeout=departure_timeout, node_ip=node_ip)
        server._tcp, server._tcp_only = tcp, tcp_only
        try:
            server._start()
        except BaseException:
            server.stop()
            raise
        return server

    def __repr__(self) -> str:
        return f"<LiveKitServer {self.url} pid={self.pid}>"

    @property
    def alive(self) -> bool:
        """Whether the process is running."""
        if self._process is None:
            return False
        if self._handle is None:
            return self._process.poll() is None
        return not _has_ended(self._handle, 0)

    @property
    def lost(self) -> bool:
        """Whether it ended, and not by our ``kill()`` or ``stop()``; until ``restart()``."""
        return self._was_up and not self.alive

    def mute_track(self, room: str, identity: str, track_sid: str) -> None:
        """Mute somebody's track."""
        self.ask("MutePublishedTrack", {"room": room, "identity": identity, "track_sid": track_sid, "muted": True})

    def kill(self) -> None:
        """End the server at once, as a crash would: it is gone when this returns."""
        self._require_own()
        self._end(b"K", _KILL_SECONDS)

    def restart(self) -> None:
        """Start a server with the same port and keys, after ``kill()`` or instead of the running one."""
        self.kill()
        deadline = time.monotonic() + _START_SECONDS
        while not self._launch():
            if time.monotonic() > deadline:
                raise ServerUnavailable(ServerProblem.NOT_STARTED, self._last_line())

    def stop(self) -> None:
        """End the server: rooms are deleted first, because it would wait for their participants.  May be repeated.

        Its process is gone when this returns (Linux; elsewhere too, unless its supervisor was killed or hangs).
        In a forked child it does nothing: the server is its parent's.
        """
        if os.getpid() != self._owner:
            return
        if self.alive and self.port:
            with contextlib.suppress(ServerUnavailable):
                for room in self.list_rooms():
                    self.delete_room(room)
        self._end(b"T", _TERM_GRACE_SECONDS)
        self._log.close()

    # -- the process

    def _require_own(self) -> None:
        if os.getpid() != self._owner:
            raise LocalProtocolError("another process started this server: end it there, or start one of your own")

    def _start(self) -> None:
        # A port that is free now may be taken before the server binds it.
        for _ in range(_ATTEMPTS):
            self.port = _free_port(socket.SOCK_STREAM)
            self.udp_port = _free_port(socket.SOCK_DGRAM)
            if self._launch():
                return
        raise ServerUnavailable(ServerProblem.NOT_STARTED, self._last_line())

    def _launch(self) -> bool:
        """Start the process; False when it ended before it answered."""
        env = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        env["LIVEKIT_CONFIG"] = self._config()
        self._log.seek(0)
        self._log.truncate()
        process = subprocess.Popen(  # noqa: S603  # our own supervisor and the program that the user chose
            [sys.executable, "-I", "-S", str(_SUPERVISOR), str(self._program), str(self._owner)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=env,
            # Ctrl-C in a terminal is for us; we end the server after having left its rooms.
            start_new_session=True,
        )
        self._process = process
        assert process.stdout is not None  # noqa: S101  # it is a pipe
        first = process.stdout.readline()
        self.pid = int(first.split()[1]) if first.startswith(b"pid ") else 0
        self._handle = _handle_of(self.pid)
        deadline = time.monotonic() + _START_SECONDS
        while process.poll() is None:
            with contextlib.suppress(ServerUnavailable):
                self.ask("ListRooms", {})
                self._was_up = True
                return True
            if time.monotonic() > deadline:
                break
            time.sleep(0.05)
        self._end(b"K", _KILL_SECONDS)
        return False

    def _end(self, letter: bytes, grace: float) -> None:
        self._was_up = False
        process = self._process
        if process is None:
            return
        self._process = None
        assert process.stdin is not None  # noqa: S101  # it is a pipe
        assert process.stdout is not None  # noqa: S101  # it is a pipe
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(letter)
            process.stdin.flush()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(grace)
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()  # the supervisor takes this for our death, and kills
        try:
            process.wait(_KILL_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()  # it hangs
            process.wait()
        process.stdout.close()
        if self._handle is not None:
            # Whatever became of the supervisor, which else waits for it: who is killed is not gone at once.
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, signal.SIGKILL)
            _has_ended(self._handle, None)
            os.close(self._handle)
        self._handle = None
        self.pid = 0

    def _config(self) -> str:
        # JSON is YAML.  `--dev --bind 127.0.0.1` would still listen on every address at 7881.
        return json.dumps(
            {
                "port": self.port,
                "bind_addresses": [_HOST],
                "rtc": {
                    "tcp_port": _free_port(socket.SOCK_STREAM) if self._tcp or self._tcp_only else 0,
                    "force_tcp": self._tcp_only,
                    "udp_port": self.udp_port,
                    "node_ip": self._node_ip,
                    "interfaces": {"includes": [] if self._tcp else ["lo"]},
                    # By TCP it takes only those who come to one of these.
                    "ips": {"includes": [f"{self._node_ip if self._tcp else _HOST}/32"]},
                    "enable_loopback_candidate": True,
                    # Nobody: by default clients are sent to public ones, and where names can't be looked up each join
                    # then leaves dozens of threads and sockets waiting for 15 seconds.
                    "stun_servers": [f"{_HOST}:{_DISCARD_PORT}"],
                },
                "room": {"empty_timeout": self._empty_timeout, "departure_timeout": self._departure_timeout},
                "keys": {self.key: self.secret},
                "logging": {"level": "error"},
            }
        )

    def _last_line(self) -> str:
        self._log.seek(0)
        lines = self._log.read().decode("utf-8", errors="replace").strip().splitlines()
        return lines[-1][:300].replace(self.secret, "***") if lines else "it wrote nothing"

    # -- its API

    def ask(self, method: str, body: Mapping[str, object]) -> Answer:
        """Ask its API, once it is known that it is ours who listens there."""
        connection = HTTPConnection(_HOST, self.port, timeout=_REQUEST_SECONDS)
        try:
            # Before, so that nobody is disturbed, and after: who listens all the time is who was connected to.
            self._require_listening(method)
            connection.connect()
            self._require_listening(method)
            token = mint_admin_token(self.key, self.secret, room=str(body.get("room", "")))
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
            connection.request("POST", f"/twirp/livekit.RoomService/{method}", json.dumps(body), headers)
            response = connection.getresponse()
            content = response.read()
            status = response.status
        except (OSError, HTTPException) as error:
            raise ServerUnavailable(ServerProblem.REFUSED, f"{method}: {type(error).__name__}") from None
        finally:
            connection.close()
        if status != _HTTP_OK:
            raise ServerUnavailable(ServerProblem.REFUSED, f"{method}: HTTP {status}")
        try:
            return cast("Answer", json.loads(content))
        except ValueError:
            raise ServerUnavailable(ServerProblem.REFUSED, f"{method}: not JSON") from None

    def _require_listening(self, method: str) -> None:
        if not (self.pid and listens(_HOST, self.port, self.pid)):
            raise ServerUnavailable(ServerProblem.REFUSED, f"{method}: it does not listen at its port")


def _handle_of(pid: int) -> int | None:
    if not pid:
        return None
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None  # the system is too old, or no Linux; or it has ended already


def _has_ended(handle: int, milliseconds: int | None) -> bool:
    """Whether a process has ended; waits for that so long, None: for as long as it takes."""
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    return bool(poll.poll(milliseconds))


def _free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((_HOST, 0))
        port: int = probe.getsockname()[1]
        return port
