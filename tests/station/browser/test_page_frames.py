"""The page's decoder of binary frames, run by node, against what Python encodes; and what it sends up, against Python's reader."""

from __future__ import annotations

import json
import math
import subprocess
from pathlib import Path

import pytest
import web
from dcl_comms_station.board.frames import audio, position, positions, read_upload, video
from dcl_comms_station.board.hearing import Picture
from rigs.interop.npm import refuse

pytestmark = [pytest.mark.node, pytest.mark.timeout(300)]

DECODE = """
import { readFileSync } from "node:fs";
import * as frames from "./frames.mjs";
const out = JSON.parse(readFileSync(0, "utf8")).map((hex) => {
  const bytes = Uint8Array.from(hex.match(/../g) ?? [], (each) => parseInt(each, 16)).buffer;
  const head = frames.header(bytes);
  if (!head) return null;
  const rows = [];
  if (head.type === frames.POSITIONS) frames.positions(bytes, head, { place: (...row) => rows.push(row) });
  const sound = head.type === frames.AUDIO ? frames.sound(bytes) : null;
  const picture = head.type === frames.VIDEO ? frames.picture(bytes) : null;
  return { ...head, rows, sound: sound && [sound.track, ...sound.samples], picture: picture && [picture.track, picture.width, picture.height, picture.turns, ...picture.planes] };
});
const piece = frames.piece(3, 70000, new Uint8Array([1, 2, 255]));
console.log(JSON.stringify({ out, piece: Buffer.from(piece).toString("hex") }));
"""


@pytest.fixture(scope="module")
def decode(tmp_path_factory):
    try:
        modules = web.packages()
    except web.NoNodeError as error:
        refuse(str(error), "REQUIRE_NODE")
    folder: Path = tmp_path_factory.mktemp("frames")
    esbuild = [web.tool("node"), modules / "esbuild" / "bin" / "esbuild"]
    source = web.SOURCES / "src" / "wire" / "frames.ts"
    subprocess.run(
        [*esbuild, source, "--format=esm", f"--outfile={folder / 'frames.mjs'}", "--log-level=error"], check=True
    )
    (folder / "decode.mjs").write_text(DECODE)

    def run(vectors):
        told = subprocess.run(
            [web.tool("node"), folder / "decode.mjs"],
            input=json.dumps([vector.hex() for vector in vectors]),
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return json.loads(told.stdout)

    return run


def test_frames(decode):
    rows = [
        position(0, 1, 1, (0.5, 0.0, -3.25), 359.99, 8.0),
        position(65_535, 15, 3, (-12_345.5, 200.0, 9_999.75), -90.0, 1e9),
        position(7, 0, 0, (math.nan, math.inf, 1.0), math.nan, -5.0),
    ]
    table = positions(rows, 4_000_000_000, 1_800_000_000.25)
    samples = (1000).to_bytes(2, "little", signed=True) + (-32_768).to_bytes(2, "little", signed=True)
    told = decode(
        [
            table,
            table[:-5],
            positions([], 1, 2.0),
            audio(9, samples, 2, 3.0),
            video(4, Picture(3, 3, 1, bytes(range(17))), 3, 4.0),
            video(4, Picture(3, 3, 0, bytes(5)), 3, 4.0),
            table[:15],
            b"\x01\x02" + table[2:],
            b"",
        ]
    )
    whole, cut, empty, sound, picture, short, *nothing = told["out"]
    assert (whole["type"], whole["count"], whole["seq"], whole["t"]) == (1, 3, 4_000_000_000, 1_800_000_000.25)
    assert whole["rows"] == [
        [0, 1, 1, 0.5, 0, -3.25, 359.99, 8, 1_800_000_000.25],
        [65_535, 15, 3, -12_345.5, 200, 9_999.75, 270, 655.35, 1_800_000_000.25],
        [7, 0, 0, 0, 0, 1, 0, 0, 1_800_000_000.25],
    ]
    assert cut["rows"] == whole["rows"][:2]
    assert empty["rows"] == []
    assert sound["sound"] == [9, 1000, -32_768]
    assert picture["picture"] == [4, 3, 3, 1, *range(17)]
    assert short["picture"] is None
    assert nothing == [None] * 3
    piece = read_upload(bytes.fromhex(told["piece"]))
    assert piece is not None
    assert (piece.number, piece.seq, piece.data) == (3, 70_000, b"\x01\x02\xff")
