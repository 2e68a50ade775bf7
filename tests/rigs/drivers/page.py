"""Programs of a page, run as they stand but for where they go."""

from __future__ import annotations

import ast
import asyncio
from typing import TYPE_CHECKING, Any

import page_programs

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


def source(page: str, number: int, swap: dict[str, str] | None = None) -> str:
    """One block of a page of docs, with other texts in the place of some; each has to be there."""
    text = page_programs.blocks(page_programs.ROOT / "docs" / page)[number]
    for old, new in (swap or {}).items():
        assert old in text
        text = text.replace(old, new)
    return text


def names_of(
    page: str, number: int, swap: dict[str, str] | None = None, then: str = "", **known: object
) -> dict[str, Any]:
    """Run one block to its end, and what is to be run behind it; on asyncio what awaits.  The names that there are."""
    names: dict[str, Any] = {"__name__": "page", **known}
    code = compile(source(page, number, swap) + then, page, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    waits: Coroutine[Any, Any, None] | None = eval(code, names)  # noqa: S307 - our own page
    if waits is not None:
        asyncio.run(waits)
    return names


def beside(program: Coroutine[Any, Any, None], act: Callable[[], None], *, ends: bool = False) -> None:
    """Run a program that goes on for ever until ``act``, in a thread, is through.  Raises what either raised.

    ``ends``: ``act`` ends it.
    """

    async def both() -> None:
        running = asyncio.create_task(program)
        acting = asyncio.create_task(asyncio.to_thread(act))
        await asyncio.wait({running, acting}, return_when=asyncio.FIRST_COMPLETED)
        if ends:
            await acting
            await running
        elif running.done():
            await running
            raise AssertionError("the program ended by itself")
        else:
            running.cancel()
            await asyncio.wait({running})
            await acting

    asyncio.run(both())
