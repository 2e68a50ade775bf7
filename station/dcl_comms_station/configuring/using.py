"""The file's place in a command: ``--config``, what options are by default, and names of targets that complete."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from dcl_comms_drivers.extras import needs

with needs("cli"):
    import click
    from click.core import ParameterSource
    from click.shell_completion import CompletionItem

from dcl_comms_station.configuring.file import CONFIG_VARIABLE, Config, read_config
from dcl_comms_station.exits import Exit, Failed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["assumed", "complete_target", "config_option", "current"]

_Command = TypeVar("_Command", bound="Callable[..., object]")


def config_option(group: _Command) -> _Command:
    """``--config``, of the group: what the file says is known to the commands in it then."""
    return click.option(
        "--config",
        metavar="FILE",
        envvar=CONFIG_VARIABLE,
        show_envvar=True,
        type=click.Path(readable=False),
        callback=_use,
        expose_value=False,
        help="Names for targets, and defaults of options; otherwise dcl-comms/config.toml in XDG_CONFIG_HOME or "
        "~/.config, if it is there.",
    )(group)


def _use(context: click.Context, _option: click.Parameter, named: str | None) -> None:
    """Failed(USAGE): the file is not as it has to be."""
    config = read_config(named)
    context.obj = config
    context.default_map = _defaults(context.command, config, context)


def _defaults(command: click.Command, config: Config, context: click.Context) -> dict[str, Any]:
    """What the file says of a command's options, by their parameters' names; of a group: of each in it."""
    if isinstance(command, click.Group):
        return {name: _defaults(one, config, context) for name, one in command.commands.items()}
    found: dict[str, Any] = {}
    for option in command.params:
        for name, value in config.defaults.items():
            if f"--{name}" in option.opts:
                try:
                    option.type(value, option, context)
                except click.BadParameter as error:
                    raise Failed(Exit.USAGE, f"{config.path}: defaults.{name}: {error.message}") from None
                found[option.name] = value
    return found


def current() -> Config:
    """What the file says, of the command that runs."""
    context = click.get_current_context(silent=True)
    found = None if context is None else context.find_object(Config)
    return found or Config()


def assumed(names: Iterable[str]) -> frozenset[str]:
    """Which of these parameters of the command that runs are as the file says."""
    context = click.get_current_context(silent=True)
    if context is None:
        return frozenset()
    return frozenset(name for name in names if context.get_parameter_source(name) is ParameterSource.DEFAULT_MAP)


def complete_target(context: click.Context, argument: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The names of targets, for a shell; of several words only the first is one."""
    config = context.find_object(Config)
    if config is None or context.params.get(argument.name):
        return []
    return [CompletionItem(name) for name in config.targets if name.startswith(incomplete)]
