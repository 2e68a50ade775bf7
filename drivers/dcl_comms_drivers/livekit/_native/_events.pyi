from collections.abc import Mapping
from typing import Self, TypeAlias

SOURCE_HASH: str

# Sender, data, reliable, topic.
Packet: TypeAlias = tuple[str | None, bytes, bool, str]

# Kind, whether it is lost at a queue's limit (else it is let go), what it is tallied as (0: it is not), and the fields
# of its sender and of what it hands over (0: there is none).
Reading: TypeAlias = tuple[int, bool, int, int, int]

# What came in for one room.  `wake_fd` gets 8 bytes when the reader may be asleep, once until it has looked; without
# one `wait()` gives the queue's number for that.
class Queue:
    def __new__(cls, limit: int, wake_fd: int = ...) -> Self: ...
    @property
    def number(self) -> int: ...
    def attach(self, room: int, /) -> None: ...
    # Packets, the low bits of the ids of requests that went well, and other events as bytes.
    def take(self, most: int, /) -> list[Packet | int | bytes]: ...
    def close(self) -> list[bytes]: ...
    def take_dropped(self) -> int: ...
    # What it is, by whom, how many, and their bytes.
    def take_foreign(self) -> list[tuple[int, str | None, int, int]]: ...
    # False: the engine refused it.
    def publish(
        self,
        me: int,
        data: bytes,
        to: tuple[str, ...],
        topic: str,
        reliable: bool,
        token: int,
        /,
    ) -> bool: ...
    def __len__(self) -> int: ...

# Gives the address of the callback.
def start(numbers: Mapping[str, int], request: int, drop: int, readings: tuple[Reading, ...], /) -> int: ...

# Blocks; empty: stopped.
def wait() -> list[bytes | int]: ...
def stop() -> None: ...
def refused_drops() -> int: ...
