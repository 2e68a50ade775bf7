"""The type checkers accept what users write, and refuse what they get wrong: tests/typing, the examples, README's program."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = [str(path) for path in sorted((ROOT / "examples").glob("*.py"))]
BIN = Path(sys.executable).parent

pytestmark = [pytest.mark.slow, pytest.mark.timeout(170)]  # the first run has no cache yet


def run(tool, *args):
    if not (BIN / tool).exists():
        pytest.skip(f"{tool} is not installed here: it comes with the group lint")
    result = subprocess.run([BIN / tool, *args], cwd=ROOT, capture_output=True, text=True, timeout=160, check=False)
    return result.returncode, result.stdout + result.stderr


@pytest.fixture
def readme(tmp_path):
    """README's first program, as a file."""
    path = tmp_path / "readme_program.py"
    path.write_text(re.search(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)[1])
    return str(path)


def test_mypy_accepts_programs_and_refuses_mistakes(readme):
    code, told = run("mypy", "tests/typing", *EXAMPLES, readme)
    assert code == 0, told


def test_basedpyright_accepts_programs_and_refuses_mistakes():
    code, told = run("basedpyright", "-p", "tests/typing")
    assert code == 0, told


def test_a_mistake_that_is_not_marked_is_found(tmp_path):
    text = (ROOT / "tests/typing/refused.py").read_text(encoding="utf-8")
    bare = re.sub(r"  # type: ignore\[[^]]*\]", "", text)
    (tmp_path / "bare.py").write_text(bare)
    code, told = run("mypy", str(tmp_path / "bare.py"))
    marked = {number for number, line in enumerate(text.splitlines(), 1) if "# type: ignore" in line}
    found = {int(number) for number in re.findall(r"bare\.py:(\d+): error", told)}
    assert (code, found) == (1, marked)
    assert len(marked) > 25
