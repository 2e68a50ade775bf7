"""What docs/station.md says can be typed: each option is one, each of the command's is there, the parser takes each line."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
from dcl_comms_station.cli import cli

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/station.md").read_text(encoding="utf-8")
LINES = re.findall(r"^    \$ dcl-comms ([^#<\n]*[^#<\n ])", PAGE, re.MULTILINE)
TABLE = PAGE.partition("| option | what it does |")[2].partition("\n\n")[0]


def options(*path):
    command, context = cli, click.Context(cli)
    for name in path:
        command = command.get_command(context, name)
    return {option: one for one in command.params for option in one.opts if option.startswith("--")}


def test_every_option_is_in_the_table_and_exists():
    there = options("station").keys() - {"--help"}
    assert set(re.findall(r"`(--[\w-]+)", TABLE)) == there
    assert set(re.findall(r"`(--[\w-]+)", PAGE)) <= there


def test_the_numbers_of_the_table():
    found = options("station")
    assert f"{found['--bots'].default}, at most {found['--bots'].type.max}" in TABLE
    assert f"`--timeout SECONDS` | until the room must be open: {found['--timeout'].default:g} |" in TABLE


@pytest.mark.parametrize("line", LINES)
def test_the_parser_takes_each_line(line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name, *args = shlex.split(line)
    command = cli.get_command(click.Context(cli), name)
    with command.make_context(name, list(args)) as context:
        assert context.params["target"] == next((one for one in args[:1] if not one.startswith("--")), None)


def test_its_pictures_are_small():
    pictures = [ROOT / "docs" / name for name in re.findall(r"!\[[^]]+\]\(([^)]+)\)", PAGE)]
    assert len(pictures) == 5
    for picture in pictures:
        assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
        assert picture.stat().st_size <= 80_000
