"""Frames of the common kind are read and written as the websockets library would."""

from __future__ import annotations

import itertools
import random

import pytest
from dcl_comms_drivers.net.frames import Splitter, pack
from websockets.frames import Frame, Opcode
from websockets.protocol import CLIENT, SERVER, Protocol

LIMIT = 24_576
SIZES = (0, 1, 125, 126, 127, 300, 16_384, LIMIT)


def served(*frames):
    """What a server sends."""
    return b"".join(frame.serialize(mask=False) for frame in frames)


def split(data, cuts=()):
    """Everything that a splitter finds in data that comes in pieces: messages as they are, the rest as Frames."""
    found, splitter, library = [], Splitter(LIMIT), Protocol(CLIENT, max_size=LIMIT)
    fragmented = False
    places = [0, *sorted(cuts), len(data)]
    for start, end in itertools.pairwise(places):
        splitter.feed(data[start:end])
        while splitter.next(divert=fragmented, most=3, until=splitter.taken + 20_000):
            found += splitter.messages
            if splitter.other:
                library.receive_data(splitter.other)
                for frame in library.events_received():
                    if frame.opcode in {Opcode.TEXT, Opcode.BINARY, Opcode.CONT}:
                        fragmented = not frame.fin
                    found.append(frame)
    return found, library.parser_exc


def test_what_is_packed_is_what_a_server_reads():
    messages = [random.Random(size).randbytes(size) for size in (*SIZES, 65_535, 65_536, 70_000)]
    server = Protocol(SERVER, max_size=None)
    data = b"".join(pack(messages))
    server.receive_data(data)
    assert server.parser_exc is None
    assert [(frame.opcode, bytes(frame.data)) for frame in server.events_received()] == [
        (Opcode.BINARY, message) for message in messages
    ]
    assert b"".join(pack(messages)) != data, "each frame has a mask of its own"
    assert pack([]) == []


@pytest.mark.parametrize("seed", range(60))
def test_any_frames_in_any_pieces_come_as_they_were_sent(seed):
    chance = random.Random(seed)
    frames, expected = [], []
    for _ in range(chance.randrange(1, 12)):
        data = chance.randbytes(chance.choice(SIZES))
        match chance.randrange(6):
            case 0:
                frames.append(Frame(Opcode.PING, data[:125]))
                expected.append(frames[-1])
            case 1:
                frames.append(Frame(Opcode.TEXT, b"text"))
                expected.append(frames[-1])
            case 2:
                # In fragments, with a ping between them.
                frames += [Frame(Opcode.BINARY, data[:9_000], fin=False), Frame(Opcode.PING, b"")]
                frames += [Frame(Opcode.CONT, data[9_000:])]
                expected += frames[-3:]
            case _:
                frames.append(Frame(Opcode.BINARY, data))
                expected.append(data)
    data = served(*frames)
    cuts = [chance.randrange(len(data)) for _ in range(chance.randrange(30))]
    found, problem = split(data, cuts)
    assert problem is None
    assert found == expected


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\x82\x7e\x60\x01", "PayloadTooBig"),
        (b"\x82\x7f" + (1 << 62).to_bytes(8, "big"), "PayloadTooBig"),
        (b"\x82\x81\0\0\0\0x", "ProtocolError"),
        (b"\xc2\x01x", "ProtocolError"),
        (b"\x83\x01x", "ProtocolError"),
        (b"\x89\x7e\x00\x7e" + bytes(126), "ProtocolError"),
        (served(Frame(Opcode.BINARY, b"a", fin=False), Frame(Opcode.BINARY, b"b")), "ProtocolError"),
        (served(Frame(Opcode.CONT, b"b")), "ProtocolError"),
    ],
)
def test_what_breaks_the_rules_is_still_the_librarys(data, kind):
    for cuts in ((), range(len(data))):
        found, problem = split(served(Frame(Opcode.BINARY, b"before")) + data, cuts)
        assert found[0] == b"before"
        assert type(problem).__name__ == kind
