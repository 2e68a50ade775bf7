"""Datagrams and SDP for a peer of dcl_comms_rtc that nobody should send: made up, changed, cut, repeated."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

__all__ = ["junk", "junk_sdp"]

HEADS = [0, 1, 3, 20, 21, 22, 23, 24, 25, 26, 63, 64, 128, 200, 255]
"""First bytes: of STUN, of DTLS's records, of TURN's channels, of RTP and RTCP, of nothing."""


def junk(random: Random, seen: Sequence[bytes]) -> bytes:
    """A datagram: made up, or made of one that was seen, mostly of a new one."""
    kind = random.random()
    if kind < 0.15:
        return random.randbytes(random.choice([0, 1, 5, 13, 20, 100, 1_200, 65_535]))
    if kind < 0.3:
        return bytes([random.choice(HEADS)]) + b"\xfe\xfd" + random.randbytes(random.randrange(80))
    if not seen:
        return b""
    datagram = bytearray(random.choice(seen[-50:] if random.random() < 0.5 else seen))
    if kind < 0.5:
        return bytes(datagram)
    if kind < 0.7:
        return bytes(datagram[: random.randrange(len(datagram) + 1)])
    for _ in range(random.choice([1, 1, 2, 8])):
        datagram[random.randrange(min(len(datagram), random.choice([4, 14, 40, 2_000])))] = random.randrange(256)
    return bytes(datagram) + (random.randbytes(9) if random.random() < 0.1 else b"")


def junk_sdp(random: Random, text: str, other: str) -> str:
    """An SDP like this one: characters or lines are changed, left out, doubled, mixed with those of the other."""
    kind = random.random()
    if kind < 0.15:
        return text[: random.randrange(len(text))]
    if kind < 0.4:
        changed = list(text)
        for _ in range(random.choice([1, 2, 5])):
            changed[random.randrange(len(changed))] = random.choice(
                ["", "\0", "\n", "\r", " ", ":", "9" * 30, chr(random.randrange(33, 127)), "\u263a"]
            )
        return "".join(changed)
    lines, others = text.split("\r\n"), other.split("\r\n")
    for _ in range(random.choice([1, 1, 2, 4])):
        place = random.randrange(len(lines))
        match random.randrange(5):
            case 0 if len(lines) > 1:
                del lines[place]
            case 1:
                lines.insert(random.randrange(len(lines)), lines[place])
            case 2:
                lines[place] = random.choice(others)
            case 3:
                lines[place] = lines[place][: random.randrange(len(lines[place]) + 1)]
            case _:
                # A value of another size: of a port, of a message's length, of a fingerprint.
                name, colon, value = lines[place].partition(":")
                lines[place] = (
                    name + colon + random.choice(["0", "-1", "65536", "99999999999999999999", "x" * 3_000, value * 2])
                )
    return "\r\n".join(lines)
