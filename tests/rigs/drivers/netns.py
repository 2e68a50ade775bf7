"""Two network namespaces of our own with one cable between them: a server's side, and a client's.

Linux, root and the ``ip`` program are needed; without them tests skip with the reason, and fail where REQUIRE_NETNS=1.
The namespaces have names of this process and are removed at the end, with everything in them; those of a process that
was killed before it could are removed by the next one.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import shutil
import subprocess
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest
from conftest import start_livekit_server
from rigs.drivers.forwarder import Forwarder

SERVER_IP = "10.77.0.1"
CLIENT_IP = "10.77.0.2"
_CLONE_NEWNET = 0x40000000
_numbers = count(1)


def _ip(*arguments):
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


def _remove_leftovers():
    for path in Path("/run/netns").glob("dcl-*-*-*"):
        if not Path("/proc", path.name.split("-")[1]).exists():
            _ip("netns", "delete", path.name)


def _enter(file):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(file, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


@contextmanager
def inside(namespace):
    """This thread is in a namespace: sockets and processes that it makes here belong there."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    try:
        _enter(there)
        try:
            yield
        finally:
            _enter(home)
    finally:
        os.close(there)
        os.close(home)


class Cable:
    """``server`` and ``client`` are the namespaces' names; the cable can be pulled out and put back."""

    def __init__(self):
        tag = f"dcl-{os.getpid()}-{next(_numbers)}"
        self.server, self.client = f"{tag}-server", f"{tag}-client"
        self._made = []

    def __enter__(self):
        try:
            for name in (self.server, self.client):
                _ip("netns", "add", name)
                self._made.append(name)
                _ip("-n", name, "link", "set", "lo", "up")
            _ip("link", "add", "cable", "netns", self.server, "type", "veth", "peer", "cable", "netns", self.client)
            for name, address in ((self.server, SERVER_IP), (self.client, CLIENT_IP)):
                _ip("-n", name, "address", "add", f"{address}/24", "dev", "cable")
            self.plug()
            _ip("-n", self.client, "link", "set", "cable", "up")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc):
        while self._made:
            _ip("netns", "delete", self._made.pop())

    def pull(self):
        """Nothing passes any more, and nobody is told."""
        _ip("-n", self.server, "link", "set", "cable", "down")

    def plug(self):
        _ip("-n", self.server, "link", "set", "cable", "up")

    def drop_datagrams(self):
        """The server's end lets no datagram in any more, and nobody is told; TCP passes."""
        rule = ("-n", self.server, "rule")
        _ip(*rule, "add", "pref", "50", "iif", "cable", "ipproto", "udp", "blackhole")
        # The table of what is local comes first by itself.
        _ip(*rule, "add", "pref", "100", "lookup", "local")
        _ip(*rule, "del", "pref", "0")

    def pass_datagrams(self):
        _ip("-n", self.server, "rule", "del", "pref", "50")


class Site:
    """A livekit-server that is on loopback in its namespace, and the forwarder that the other one reaches it by."""

    def __init__(self, cable, server, road):
        self.cable = cable
        self.server = server
        self.road = road

    @property
    def url(self):
        return f"ws://{SERVER_IP}:{self.server.port}"

    def connection_string(self, identity, room="room", **claims):
        return self.server.connection_string(identity, room, **claims).replace(self.server.url, self.url)

    @contextmanager
    def on_server_side(self):
        with inside(self.cable.server):
            yield self.server

    def client_side(self):
        return inside(self.cable.client)


def _why_not():
    if os.name != "posix" or not hasattr(os, "geteuid") or os.geteuid() != 0:
        return "network namespaces need root"
    if shutil.which("ip") is None:
        return "there is no ip program (make ci-deps)"
    try:
        _remove_leftovers()
        with Cable() as cable, inside(cable.client):
            return ""
    except (OSError, subprocess.CalledProcessError) as error:
        return f"no network namespaces here: {getattr(error, 'stderr', '') or error}".strip()


def need_namespaces():
    reason = _why_not()
    if reason and os.environ.get("REQUIRE_NETNS") == "1":
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)


@contextmanager
def livekit_site(**settings):
    """A cable with a server at one end."""
    need_namespaces()
    with Cable() as cable:
        with inside(cable.server):
            server = start_livekit_server(node_ip=SERVER_IP)
        try:
            with inside(cable.server):
                road = Forwarder(listen=SERVER_IP, to="127.0.0.1", tcp=server.port, udp=server.udp_port, **settings)
            with road:
                yield Site(cable, server, road)
        finally:
            with inside(cable.server):
                server.stop()
