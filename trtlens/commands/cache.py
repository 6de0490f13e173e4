"""Commands about timing caches: ``cache show``, ``diff``, ``verify``, ``merge``, and ``pinned`` of a build that used one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from trtlens.commands.help import Application, Subcommands
from trtlens.commands.read import BuildOption, FormatOption, opened_run
from trtlens.errors import CaptureError, TrtlensError
from trtlens.output import Format, console, layout, wrapped, write_table
from trtlens.quantities import byte_size, hexadecimal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pyarrow as pa

    from trtlens.capture.timing_caches import Entry, Opened
    from trtlens.engine.cache_use import CacheUse
    from trtlens.runs.cache_file import CacheFile

_DIFFERENCES = ("only in the first", "only in the second", "another tactic", "another time")
_CHANGED, _REFUSED = _FAILED = ("changed", "refused")
CacheArgument = Annotated[Path, typer.Argument(help="A timing cache: the file of --timingCacheFile.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    commands = Application(
        name="cache", cls=Subcommands, help="Look into timing caches; check that a build is pinned.",
        no_args_is_help=True, rich_markup_mode=None,
    )  # fmt: skip
    for command in (show, diff, verify, merge, pinned):
        commands.command()(command)
    app.add_typer(commands)


def show(file: CacheArgument, form: FormatOption = Format.TABLE) -> None:
    """Show a cache: size, SHA-256 and, where TensorRT lists them, its entries.

    Entries (key, hash of the tactic, time) take TensorRT 10.8 or later on a GPU of the cache's kind.
    """
    cache, opened = _opened(file)
    if form is Format.TABLE:
        _say(f"{file}: {byte_size(len(cache.data))}, SHA-256 {cache.sha256}")
        _say(f"{cache.header}; {_entries_text(opened)}")
    entries = opened.entries if not isinstance(opened, str) else None
    if entries is None and form is not Format.TABLE:
        raise TrtlensError(f"{file}: {_entries_text(opened)}")
    if entries or form is not Format.TABLE:
        from trtlens.commands.printed_rows import CACHE_ENTRIES  # noqa: PLC0415

        rows = CACHE_ENTRIES.of_rows([_row(one) for one in (entries or {}).values()])
        write_table(rows, form, layout("key tactic_hash time_ms", stretches="key"))


def diff(first: CacheArgument, second: CacheArgument, form: FormatOption = Format.TABLE) -> None:
    """Compare two caches entry by entry; exit with 1 where their tactics differ.

    Without the entries only whether the files are equal is known.
    """
    (one, left), (other, right) = _opened(first), _opened(second)
    if one.sha256 == other.sha256:
        _write_differences([], "the files are equal, byte for byte", form)
        return
    ends = [opened.entries if not isinstance(opened, str) else None for opened in (left, right)]
    if ends[0] is None or ends[1] is None:
        sizes = f"{byte_size(len(one.data))} and {byte_size(len(other.data))}"
        told = f"the files differ ({sizes}); {_entries_text(left if ends[0] is None else right)}"
        if form is not Format.TABLE:
            raise TrtlensError(told)
        _say(told)
        raise typer.Exit(1)
    rows = list(_differences(ends[0], ends[1]))
    counts = {kind: sum(row["difference"] == kind for row in rows) for kind in _DIFFERENCES}
    told = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count) or "all alike"
    _write_differences(rows, f"{len(ends[0])} and {len(ends[1])} entries: {told}", form)
    if any(row["difference"] != _DIFFERENCES[-1] for row in rows):
        raise typer.Exit(1)


def _write_differences(rows: Sequence[dict[str, Any]], told: str, form: Format) -> None:
    from trtlens.commands.printed_rows import CACHE_DIFFERENCES  # noqa: PLC0415

    if form is Format.TABLE:
        _say(told)
    if rows or form is not Format.TABLE:
        columns = "difference key tactic_hash other_tactic_hash time_ms other_time_ms"
        nothing = dict.fromkeys(columns.split())
        write_table(
            CACHE_DIFFERENCES.of_rows([{**nothing, **row} for row in rows]), form, layout(columns, stretches="key")
        )


def verify(
    file: CacheArgument,
    sha256: Annotated[
        Optional[str],  # noqa: UP045  typer reads annotations at run time, on Python 3.10 too
        typer.Option("--sha256", help="Digest that the file must have, as trtlens cache show prints it."),
    ] = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """Check that a cache is whole, unchanged and of this TensorRT and GPU; exit with 1 where it is not."""
    from trtlens.commands.printed_rows import CACHE_CHECK  # noqa: PLC0415
    from trtlens.runs.cache_file import read_cache_file  # noqa: PLC0415

    cache = read_cache_file(file)
    state, told = _verified(cache, None if sha256 is None else sha256.strip().lower())
    if form is Format.TABLE:
        _say(told)
    else:
        found = {"file": str(file), "bytes": len(cache.data), "sha256": cache.sha256, "state": state, "detail": told}
        write_table(CACHE_CHECK.of_rows([found]), form)
    if state in _FAILED:
        raise typer.Exit(1)


def _verified(cache: CacheFile, sha256: str | None) -> tuple[str, str]:
    """The state of a cache, and a sentence that says why."""
    if sha256 is not None and cache.sha256 != sha256:
        return _CHANGED, f"{cache.path} has changed: its SHA-256 is {cache.sha256}, not {sha256}"
    try:
        _, opened = _opened(cache.path)
    except CaptureError as error:
        return _REFUSED, error.message
    same = "; unchanged" if sha256 is not None else ""
    begin = f"{cache.path}: {cache.header}{same}"
    if isinstance(opened, str):
        return "not opened", f"{begin}; not opened: {opened}"
    return "ok", f"{begin}; {opened.library} takes it"


def merge(
    files: Annotated[
        list[Path], typer.Argument(help="Timing caches; of two entries with one key the earlier file's stays.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="File of the merged cache.")],
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Put the entries of several caches into a new one; TensorRT does it, on a GPU of the caches' kind."""
    from trtlens.capture.timing_caches import library_for_caches, merge_caches  # noqa: PLC0415
    from trtlens.runs.cache_file import read_cache_file  # noqa: PLC0415
    from trtlens.runs.folders import regular_mode, write_whole  # noqa: PLC0415

    if len(files) < 2:
        raise TrtlensError(f"one cache is given ({files[0]}): merge takes two or more")
    if regular_mode(out) is not None and not force:
        raise TrtlensError(f"{out} is there already: --force replaces it, or give another file to --out")
    caches = [read_cache_file(file) for file in files]
    backend = library_for_caches()
    if isinstance(backend, str):
        raise CaptureError(f"caches are merged by TensorRT: {backend}")
    merged = merge_caches(caches, backend)
    replaced = " (replaced)" if out.exists() else ""
    write_whole(out, merged.data)
    known = [count for count in merged.counts if count is not None]
    if len(known) == len(files):
        steps = zip(files[1:], known[1:], known, strict=False)
        _say(
            f"{known[0]} entries of {files[0]}"
            + "".join(f", {now - before} new ones of {file}" for file, now, before in steps)
        )
    _say(f"{out}{replaced}: {byte_size(len(merged.data))}")


def pinned(
    run: Annotated[list[str], typer.Argument(help="A run folder or a verbose log; files that belong together.")],
    build: BuildOption = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """Check that a build took every time from a timing cache; exit with 1 where it tuned, or where that is not known.

    Such a build chooses the same tactics again with the same cache. `trtlens show cache` lists the layers.
    """
    from trtlens.engine.cache_use import read_cache_use  # noqa: PLC0415

    subject = opened_run(run, build)
    uses = [read_cache_use(subject, number) for number in subject["builds"]["build"].to_pylist()]
    if form is not Format.TABLE:
        write_table(_pinned_rows(uses), form)
    elif not uses:
        _say("no build: nothing is pinned")
    else:
        for use in uses:
            _say(f"build {use.build}: {use.verdict}" if len(uses) > 1 else use.verdict)
    if not uses or not all(use.pinned for use in uses):
        raise typer.Exit(1)


def _pinned_rows(uses: Sequence[CacheUse]) -> pa.Table:
    from trtlens.commands.printed_rows import PINNED  # noqa: PLC0415

    return PINNED.of_rows([
        {
            "build": use.build, "pinned": use.pinned, "layers": len(use.layers), "tuned_layers": len(use.tuned_layers),
            "tuned_reformats": use.tuned_reformats, "detail": use.verdict,
        }
        for use in uses
    ])  # fmt: skip


def _opened(file: Path) -> tuple[CacheFile, Opened | str]:
    """The file, and what TensorRT reads in it or why it was not asked."""
    from trtlens.capture.timing_caches import library_for_caches, open_cache  # noqa: PLC0415
    from trtlens.runs.cache_file import read_cache_file  # noqa: PLC0415

    cache, backend = read_cache_file(file), library_for_caches()
    return cache, backend if isinstance(backend, str) else open_cache(cache, backend)


def _entries_text(opened: Opened | str) -> str:
    if isinstance(opened, str):
        return f"its entries are not known: {opened}"
    count = len(opened.entries) if opened.entries is not None else opened.count
    known = "entries, as many as TensorRT does not say" if count is None else f"{count:,} entries"
    return f"{known} by {opened.library}" + (f"; {opened.why_none}" if opened.why_none else "")


def _differences(first: dict[str, Entry], second: dict[str, Entry]) -> Iterable[dict[str, Any]]:
    for key in sorted({*first, *second}):
        one, other = first.get(key), second.get(key)
        row = {**(_row(one) if one else {}), "key": key}
        if other is not None:
            row |= {f"other_{name}": value for name, value in _row(other).items() if name != "key"}
        kinds = (
            other is None,
            one is None,
            row.get("tactic_hash") != row.get("other_tactic_hash"),
            row.get("time_ms") != row.get("other_time_ms"),
        )
        kind = next((kind for kind, holds in zip(_DIFFERENCES, kinds, strict=True) if holds), None)
        if kind is not None:
            yield {**row, "difference": kind}


def _row(entry: Entry) -> dict[str, Any]:
    return {"key": entry.key, "tactic_hash": hexadecimal(entry.tactic_hash), "time_ms": entry.time_ms}


def _say(text: str) -> None:
    """One sentence, wrapped to the terminal."""
    out = console(sys.stdout)
    for line in wrapped(text):
        out.print(line)
