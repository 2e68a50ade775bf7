"""Every command's help, those in groups too: it has examples, and the parser takes each of them."""

from __future__ import annotations

import itertools
import shlex
from pathlib import Path

import click
import pytest
from dcl_comms_station.cli import cli
from dcl_comms_station.exits import Exit

PAGE = Path(__file__).parents[3] / "docs/command-line.md"


def paths(command, *path):
    """A command's words, and those of all below it."""
    yield path
    if isinstance(command, click.Group):
        for name, one in command.commands.items():
            yield from paths(one, *path, name)


def examples(run_cli, path):
    return [line.strip() for line in run_cli(*path, "--help").stdout.partition("Examples:\n")[2].splitlines()]


def typed(line):
    """An example's arguments as a shell reads it: what is in quotes pipes and redirects nothing."""
    words = shlex.shlex(line, posix=True, punctuation_chars="|<>")
    words.commenters, words.whitespace_split = "", True
    all_of_them = list(words)
    call = all_of_them[all_of_them.index("dcl-comms") + 1 :]
    return list(itertools.takewhile(lambda word: word not in {"|", "<", ">"}, call))


def take(args):
    """Have the parser take these arguments, and do nothing; gives the command's words."""
    command, path, context = cli, [], None
    while isinstance(command, click.Group):
        context = click.Context(command, parent=context, **command.context_settings)
        rest, args = command.make_parser(context).parse_args(args)[:2]
        assert set(rest) <= {"config"}
        name, command, args = command.resolve_command(context, args)
        path.append(name)
    with command.make_context(path[-1], args, parent=context):
        return tuple(path)


@pytest.fixture
def files_of_examples(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("bot.journal", "evening.mcap", "evening.mcap.part", "cut.mcap"):
        (tmp_path / name).touch()


@pytest.mark.parametrize("path", list(paths(cli)), ids=" ".join)
def test_the_help_has_examples_and_the_parser_takes_them(run_cli, files_of_examples, path):
    shown = [run_cli(*path, option) for option in ("-h", "--help")]
    assert all(result.exit_code == Exit.OK for result in shown)
    assert all(result.stdout.startswith(f"Usage: {' '.join(['dcl-comms', *path])}") for result in shown)
    lines = examples(run_cli, path)
    assert len(lines) >= 2
    called = [take(typed(line)) for line in lines]
    if len(path) <= 1:
        assert all(words[: len(path)] == path for words in called)
    else:
        assert path in called


@pytest.mark.parametrize(
    "line",
    [
        "dcl-comms tial main",
        "dcl-comms tail main --cuont 1",
        "dcl-comms tail main --count none",
        "dcl-comms --confg x tail main",
        "dcl-comms wallet old bot.key",
        "dcl-comms wallet new",
        "dcl-comms decode",
    ],
)
def test_an_example_that_rots_is_seen(line):
    with pytest.raises(click.UsageError):
        take(typed(line))


def test_the_page_has_an_example_of_each_command_which_the_parser_takes(files_of_examples):
    rows = [line.split("`")[1] for line in PAGE.read_text().splitlines() if line.startswith("| `dcl-comms ")]
    assert {take(typed(row.replace("ADDRESS", "0x" + "7c" * 20)))[0] for row in rows} == set(cli.commands)


def test_the_page_has_each_exit_code():
    rows = PAGE.read_text().partition("## Exit codes\n")[2].partition("\n## ")[0].splitlines()
    assert {line.split("|")[1].strip() for line in rows if line.startswith("|")} >= {str(int(one)) for one in Exit}
