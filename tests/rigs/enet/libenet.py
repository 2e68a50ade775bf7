"""Debian's libenet7, through ctypes: stock ENet with a socket of its own, on loopback."""

from __future__ import annotations

import ctypes
import ctypes.util
from typing import Any, NamedTuple

RELIABLE, UNSEQUENCED, UNRELIABLE_FRAGMENT = 1, 2, 8
CONNECT, DISCONNECT, RECEIVE = 1, 2, 3
NAMES = {CONNECT: "connect", DISCONNECT: "disconnect", RECEIVE: "receive"}
LOOPBACK = 0x0100007F


class _Address(ctypes.Structure):
    _fields_ = (("host", ctypes.c_uint32), ("port", ctypes.c_uint16))


class _Packet(ctypes.Structure):
    _fields_ = (
        ("references", ctypes.c_size_t),
        ("flags", ctypes.c_uint32),
        ("data", ctypes.POINTER(ctypes.c_ubyte)),
        ("length", ctypes.c_size_t),
    )


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("peer", ctypes.c_void_p),
        ("channel", ctypes.c_uint8),
        ("data", ctypes.c_uint32),
        ("packet", ctypes.POINTER(_Packet)),
    )


class _HostHead(ctypes.Structure):
    _fields_ = (("socket", ctypes.c_int), ("address", _Address))


def new_event() -> Any:
    """Where the service function writes what happened."""
    return _Event()


class Event(NamedTuple):
    kind: str
    peer: int
    channel: int
    data: int
    payload: bytes


def load() -> Any:
    """The library, or None where there is none."""
    try:
        lib = ctypes.CDLL("libenet.so.7")
    except OSError:
        return None
    lib.enet_host_create.restype = ctypes.c_void_p
    lib.enet_host_create.argtypes = [
        ctypes.c_void_p,
        ctypes.c_size_t,
        ctypes.c_size_t,
        ctypes.c_uint32,
        ctypes.c_uint32,
    ]
    lib.enet_host_connect.restype = ctypes.c_void_p
    lib.enet_host_connect.argtypes = [ctypes.c_void_p, ctypes.POINTER(_Address), ctypes.c_size_t, ctypes.c_uint32]
    lib.enet_host_service.argtypes = [ctypes.c_void_p, ctypes.POINTER(_Event), ctypes.c_uint32]
    lib.enet_host_flush.argtypes = [ctypes.c_void_p]
    lib.enet_host_destroy.argtypes = [ctypes.c_void_p]
    lib.enet_packet_create.restype = ctypes.c_void_p
    lib.enet_packet_create.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint32]
    lib.enet_packet_destroy.argtypes = [ctypes.c_void_p]
    lib.enet_peer_send.argtypes = [ctypes.c_void_p, ctypes.c_uint8, ctypes.c_void_p]
    for name in ("enet_peer_disconnect", "enet_peer_disconnect_now", "enet_peer_disconnect_later"):
        getattr(lib, name).argtypes = [ctypes.c_void_p, ctypes.c_uint32]
    lib.enet_peer_ping_interval.argtypes = [ctypes.c_void_p, ctypes.c_uint32]
    lib.enet_peer_timeout.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32, ctypes.c_uint32]
    lib.enet_initialize()
    return lib


class LibEnet:
    """One host of the library: a server on a port of its own, or a client."""

    def __init__(self, lib: Any, *, server: bool, peers: int = 8, channels: int = 3) -> None:
        self.lib = lib
        address = _Address(LOOPBACK, 0)
        where = ctypes.byref(address) if server else None
        self.host = lib.enet_host_create(where, peers, channels, 0, 0)
        assert self.host, "no host"
        self.port = ctypes.cast(self.host, ctypes.POINTER(_HostHead)).contents.address.port
        self.channels = channels

    def connect(self, port: int, data: int = 0) -> int:
        address = _Address(LOOPBACK, port)
        peer = self.lib.enet_host_connect(self.host, ctypes.byref(address), self.channels, data)
        assert peer
        return int(peer)

    def events(self) -> list[Event]:
        """Serve the host, and what happened."""
        found = []
        event = _Event()
        while self.lib.enet_host_service(self.host, ctypes.byref(event), 0) > 0:
            payload = b""
            if event.type == RECEIVE:
                packet = event.packet.contents
                payload = ctypes.string_at(packet.data, packet.length) if packet.length else b""
                self.lib.enet_packet_destroy(event.packet)
            found.append(Event(NAMES[event.type], event.peer, event.channel, event.data, payload))
        return found

    def send(self, peer: int, channel: int, payload: bytes, flags: int) -> None:
        packet = self.lib.enet_packet_create(payload, len(payload), flags)
        assert self.lib.enet_peer_send(peer, channel, packet) == 0, "not sent"

    def disconnect(self, peer: int, data: int, how: str = "disconnect") -> None:
        getattr(self.lib, f"enet_peer_{how}")(peer, data)

    def patience(self, peer: int, limit: int, least: int, most: int) -> None:
        """Its time-outs, in ms."""
        self.lib.enet_peer_timeout(peer, limit, least, most)

    def close(self) -> None:
        self.lib.enet_host_destroy(self.host)
