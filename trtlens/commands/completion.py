"""The command ``completion``: what a shell needs to complete trtlens's commands, options, views and layers."""

from __future__ import annotations

import sys
from enum import Enum
from typing import Annotated

import typer


class Shell(str, Enum):
    """The shells that are known."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


_SCRIPTS = {
    Shell.BASH: """\
_trtlens() {
    local found
    COMPREPLY=()
    while IFS= read -r found; do
        COMPREPLY+=("$found")
    done < <(trtlens __complete bash "$COMP_LINE" "$COMP_POINT" 2>/dev/null)
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]]; then compopt -o nospace; fi
}
complete -o bashdefault -o default -F _trtlens trtlens
""",
    Shell.ZSH: """\
#compdef trtlens
_trtlens() {
    local line
    local -a found shown
    for line in "${(@f)$(trtlens __complete zsh $((CURRENT - 2)) "${(@)words[2,-1]}" 2>/dev/null)}"; do
        [[ -n $line ]] || continue
        found+=("${line%%$'\\t'*}")
        shown+=("${line/$'\\t'/  -- }")
    done
    if (( ${#found} )); then compadd -l -d shown -a found; else _files; fi
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then _trtlens "$@"; else compdef _trtlens trtlens; fi
""",
    Shell.FISH: """\
function __trtlens_complete
    set -l words (commandline -opc) (commandline -ct)
    set -l found (trtlens __complete fish (math (count $words) - 2) $words[2..-1] 2>/dev/null)
    if test (count $found) -gt 0
        printf '%s\\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end
complete -c trtlens -f -a '(__trtlens_complete)'
""",
}


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(completion)


def completion(
    context: typer.Context, shell: Annotated[Shell, typer.Argument(help="The shell that shall complete.")]
) -> None:
    """Print what makes a shell complete trtlens's words.

    Each shell has a place for it, which the examples name. Commands, options, views, tables, columns and quantities are completed,
    and layers of the run or log that the line names, else of the only one in the working folder.
    """
    from trtlens.commands.description import write_description  # noqa: PLC0415  other commands need none of it
    from trtlens.commands.typed_words import read_description  # noqa: PLC0415

    if read_description() is None:
        write_description(context.find_root().command)
    sys.stdout.write(_SCRIPTS[shell])
