"""docs/media.md: its programs run, against a real server."""

from __future__ import annotations

import asyncio
import re
from array import array
from pathlib import Path

import pytest
from dcl_comms_drivers.asyncio import connect

from dcl_comms_core import PeerId, Sound, Track, TrackKind

PAGE = Path(__file__).parents[2] / "docs" / "media.md"


def programs():
    """Everything that the page defines."""
    names = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
        exec(compile(block, str(PAGE), "exec"), names)  # noqa: S102 - what the page says is what is tested
    return names


@pytest.mark.livekit
def test_the_page_s_programs_run(livekit_room):
    names = programs()
    room = livekit_room()

    async def main():
        async with (
            asyncio.timeout(25),
            connect(room.connection_string("singer")) as singer,
            connect(room.connection_string("listener"), subscribe="audio") as listener,
            connect(room.connection_string("viewer")) as viewer,
            asyncio.TaskGroup() as tasks,
        ):
            heard = tasks.create_task(names["listen"](listener))
            seen = tasks.create_task(names["watch"](viewer))
            acts = [tasks.create_task(names[act](singer, 20)) for act in ("sing", "show")]
            who, loudest = await heard
            assert who == PeerId("singer")
            assert 5000 < loudest < 12_000
            assert await seen == (PeerId("singer"), 320, 180)
            for act in acts:
                act.cancel()

    asyncio.run(main())


@pytest.mark.livekit
def test_the_page_s_parrot(livekit_room, tmp_path, monkeypatch):
    names = programs()
    room = livekit_room()
    monkeypatch.chdir(tmp_path)
    loud = array("h", [9000 if n // 50 % 2 else -9000 for n in range(48_000)]).tobytes()
    (tmp_path / "hello.wav").write_bytes(Sound(loud[:48_000]).wav())
    written = tmp_path / "alice.wav"

    async def speak(alice):
        async with alice.publish_audio() as microphone:
            while True:
                await microphone.play(Sound(loud + bytes(96_000)))

    async def main():
        async with (
            asyncio.timeout(60),
            connect(room.connection_string("parrot"), subscribe="audio") as parrot,
            connect(room.connection_string("alice"), subscribe="audio") as alice,
            asyncio.TaskGroup() as tasks,
        ):
            acts = [tasks.create_task(names["parrot"](parrot)), tasks.create_task(speak(alice))]
            async with alice.utterances(PeerId("parrot")) as heard:
                async for _, sound in heard:
                    # Its own hello is half a second long.
                    if written.exists() and sound.seconds > 0.8:
                        break
            for act in acts:
                act.cancel()

    asyncio.run(main())
    assert Sound.of_wav(written.read_bytes()).seconds > 0.1


def test_the_page_s_policy():
    wanted = programs()["only_streams"]
    video, sound = (Track(sid="TR", kind=kind) for kind in (TrackKind.VIDEO, TrackKind.AUDIO))
    assert wanted(PeerId("stream:place:1"), video) is True
    assert wanted(PeerId("stream:place:1"), sound) is False
    assert wanted(PeerId("0x" + "ab" * 20), video) is False
