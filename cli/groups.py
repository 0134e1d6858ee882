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
    """First word, what it is in a list, and its commands. ``default``: which one options without a second word mean."""

    name: str
    words: str
    commands: Sequence[Subcommand]
    default: str | None = None

    def typer(self) -> typer.Typer:
        """The group as typer takes it. Without a second word it prints its help."""
        made = typer.Typer(
            name=self.name, cls=_parser(self.default), help=self.words, no_args_is_help=True, rich_markup_mode=None
        )
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
