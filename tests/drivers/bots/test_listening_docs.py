"""docs/listening.md: its programs run."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from dcl_comms_drivers.testing import run_bot

from dcl_comms_core import ConnectionLost
from dcl_comms_core.testing.script import Join, Say

PAGE = Path(__file__).parents[3] / "docs" / "listening.md"


def test_the_page_s_programs_run():
    names = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        exec(compile(block, str(PAGE), "exec"), names)  # noqa: S102 - what the page says is what is tested
    words = []

    async def count(room):
        async with asyncio.TaskGroup() as tasks:
            counting = tasks.create_task(names["count_words"](room))
            await asyncio.sleep(20.0)
            await room.aclose()
        words.append(counting.result())

    async def bot(room):
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(count(room))
            await names["greet"](room)

    transcript = run_bot(bot, script=[Join(1.0, "alice"), Say(2.0, "alice", "call me Al")])
    assert [text for _, text in transcript.chats] == ["what shall I call you?", "hello, call me Al"]
    assert words == [3]


def test_the_page_s_timeout():
    names = {}
    (block,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    exec(compile(block, str(PAGE), "exec"), names)  # noqa: S102 - likewise

    async def bot(room):
        try:
            await names["greet"](room)
        except ConnectionLost:
            room.chat("never")

    transcript = run_bot(bot, script=[Join(1.0, "alice"), Say(50.0, "alice", "too late")], seconds=100.0)
    assert [text for _, text in transcript.chats] == ["what shall I call you?"]
