"""Commands of two words, such as ``evidence hold add``: what a module gives to be put under one first word."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import typer
from typer.core import TyperGroup


class Subcommand(NamedTuple):
    """Second word, function, example, and what it is in a list."""

    name: str
    function: Callable[..., Any]
    example: str
    words: str


class Group(NamedTuple):
    """First word, what it is in a list, and its commands.

    ``alone``: what the first word does without a second. ``default``: which command options without a second word mean.
    """

    name: str
    words: str
    commands: Sequence[Subcommand]
    alone: Subcommand | None = None
    default: str | None = None

    def typer(self) -> typer.Typer:
        """The group as typer takes it. Without a second word it prints its help, unless it means something alone."""
        if self.alone is None:
            parser = _parser(self.default)
            made = typer.Typer(name=self.name, cls=parser, help=self.words, no_args_is_help=True, rich_markup_mode=None)
        else:
            made = typer.Typer(name=self.name, rich_markup_mode=None)
            made.callback(invoke_without_command=True, epilog=self.alone.example)(self.alone.function)
        for name, function, example, words in self.commands:
            made.command(name, epilog=example, short_help=words)(function)
        return made


def _parser(default: str | None) -> type[TyperGroup]:
    """What reads the words behind the first one: where options come at once, the default command is meant."""
    if default is None:
        return TyperGroup

    meant = [default]

    class Defaulting(TyperGroup):
        def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
            is_option = bool(args) and args[0].startswith("-") and args[0] not in ctx.help_option_names
            return super().parse_args(ctx, [*meant, *args] if is_option else args)

    return Defaulting
