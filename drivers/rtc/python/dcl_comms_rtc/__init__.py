"""WebRTC data channels as a state machine: datagrams and time in, datagrams and events out.

A ``Peer`` is one side of a peer connection.  It has no sockets, threads or clock: the caller moves its bytes and its
time.  ``str0m`` (Rust) makes every decision in it.
"""

from dcl_comms_rtc._native import Peer, RtcError, RtcPanic

__all__ = ["Peer", "RtcError", "RtcPanic"]
