"""examples/test_your_bot: the fixed bot passes its tests, and they find the bug of the other one."""

from __future__ import annotations

import ast
import asyncio
import os
import re
import sys
from pathlib import Path

import pytest

KIT = Path(__file__).parents[2] / "examples" / "test_your_bot"
PYTEST = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(KIT)]


def environment(tmp_path):
    return {**os.environ, "HYPOTHESIS_STORAGE_DIRECTORY": str(tmp_path)}


@pytest.mark.timeout(120)
def test_the_bot_as_it_should_be(run_process, tmp_path):
    result = run_process("-k", "conversation or they_write", command=PYTEST, env=environment(tmp_path), timeout=100)
    assert result.returncode == 0, result.stdout
    assert "3 passed" in result.stdout


@pytest.mark.nightly
def test_the_bot_as_it_should_be_whatever_happens(run_process, tmp_path):
    result = run_process(command=PYTEST, env=environment(tmp_path), timeout=600)
    assert result.returncode == 0, result.stdout
    assert "5 passed" in result.stdout


@pytest.mark.timeout(120)
def test_the_bug_is_found_and_the_play_is_short(run_process, tmp_path):
    result = run_process("--bug", "-k", "they_write", command=PYTEST, env=environment(tmp_path), timeout=100)
    assert result.returncode == 1, result.stdout
    assert "1 failed" in result.stdout
    assert "d0'" in result.stdout
    assert "ValueError: empty range" in result.stdout


def test_the_code_in_the_page_runs():
    text = (Path(__file__).parents[2] / "docs" / "testing.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == 9
    page = {"__name__": "page"}
    for block in blocks:
        code = compile(block, "docs/testing.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        waits = eval(code, page)  # noqa: S307 - our own page
        if waits is not None:
            asyncio.run(waits)
