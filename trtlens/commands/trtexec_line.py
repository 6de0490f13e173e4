"""The command `profile` as it takes the line of trtexec."""

from __future__ import annotations

import sys
from typing import Any

from trtlens.commands.help import Command
from trtlens.output import visible


class TrtexecCommand(Command):
    """A command that also takes the line of trtexec."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments, and say on stderr which of trtexec's flags need nothing."""
        if ctx.resilient_parsing:  # a shell asks for completions
            return super().parse_args(ctx, args)
        from trtlens.commands.trtexec_words import read_line  # noqa: PLC0415  other commands need none of it

        arguments, notes = read_line(args)
        rest = super().parse_args(ctx, arguments)
        sys.stderr.writelines(f"{visible(note)}\n" for note in notes)
        return rest
