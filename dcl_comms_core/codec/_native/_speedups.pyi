from collections.abc import Callable, Mapping, Sequence
from typing import Any

from _typeshed import ReadableBuffer

from dcl_comms_core.codec.buffers import Peek
from dcl_comms_core.codec.columns import Rows
from dcl_comms_core.errors import DecodeError
from dcl_comms_core.limits import Limits
from dcl_comms_core.proto._gen.rfc4 import Packet
from dcl_comms_core.proto.fields import MessageTable

SOURCE_HASH: str

def register(
    tables: tuple[MessageTable, ...],
    orders: tuple[tuple[str, ...], ...],
    packet: type[Packet],
    peek: type[Peek],
    decode_error: type[DecodeError],
    limits: Limits,
    twin: dict[str, Callable[..., Any]],
    /,
) -> Mapping[str, Callable[..., Any]]: ...
def redirect(to_twin: bool, /) -> None: ...
def fill(
    kind: str,
    packets: Sequence[ReadableBuffer],
    rows: Rows,
    width: int,
    offsets: tuple[int, ...],
    limits: Limits,
    /,
) -> None: ...
