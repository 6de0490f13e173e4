"""Where a fleet is kept, and which of its files count: a batch counts from the moment that its manifest stands there.

    FLEET/fleet.json                              format
    FLEET/batches/BATCH.json                      manifest: runs and files of one batch, and the batches that it replaces
    FLEET/tables/TABLE/trt=10.3/BATCH.parquet     rows, sorted by run
    FLEET/raw/ab/RUN/NAME.zst                     logs as they came, compressed

Every file is written whole under a name that only its own content has, so that writers need no lock and one that is killed
leaves nothing that counts. A run that two batches hold (two writers added it at once, or a newer trtlens read it again)
counts from the one that the newer version read, of equals from the older batch.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trtlens.errors import TrtlensError, reason
from trtlens.runs.folders import GENERATOR, write_whole
from trtlens_parsers.errors import FormatError
from trtlens_parsers.json_text import parse_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

FORMAT = 1
FLEET_JSON = "fleet.json"
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{1,20}://")


def is_url(text: str) -> bool:
    """Whether a place is one of an object store."""
    return _URL.match(text) is not None


@dataclass(frozen=True, slots=True)
class Place:
    """A folder, or a prefix of an object store such as ``s3://bucket/fleet``; names within it have slashes."""

    root: str

    def write(self, name: str, data: bytes | memoryview) -> None:
        """Write a file that is never seen half written.

        Raises:
            TrtlensError: it cannot be written.

        """
        if is_url(self.root):
            self.remote().pipe_file(self.path(name), bytes(data))
            return
        path = Path(self.path(name))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TrtlensError(f"{path.parent} cannot be made ({reason(error)}): choose another fleet") from error
        write_whole(path, data)

    def read(self, name: str) -> bytes:
        """The content of a file.

        Raises:
            FileNotFoundError: there is none.

        """
        if is_url(self.root):
            content: bytes = self.remote().cat_file(self.path(name))
            return content
        return Path(self.path(name)).read_bytes()

    def names(self, folder: str) -> list[str]:
        """Files anywhere below a folder, sorted; none where there is no such folder."""
        if is_url(self.root):
            remote = self.remote()
            start = remote._strip_protocol(self.root)  # noqa: SLF001  fsspec has no public name for it
            found = [str(path)[len(start) :].lstrip("/") for path in remote.find(self.path(folder))]
        else:
            root = Path(self.root)
            found = [path.relative_to(root).as_posix() for path in (root / folder).rglob("*") if path.is_file()]
        return sorted(found)

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        if is_url(self.root):
            self.remote().rm_file(self.path(name))
        else:
            Path(self.path(name)).unlink(missing_ok=True)

    def exists(self, name: str) -> bool:
        """Whether there is such a file."""
        return bool(self.remote().exists(self.path(name))) if is_url(self.root) else Path(self.path(name)).is_file()

    def path(self, name: str) -> str:
        """A file's path or address."""
        return f"{self.root.rstrip('/')}/{name}"

    def remote(self) -> Any:
        """The object store as an fsspec file system."""
        return remote_of(self.root)


def remote_of(url: str) -> Any:
    """The fsspec file system of an address.

    Raises:
        TrtlensError: no package for such addresses is installed.

    """
    import fsspec  # noqa: PLC0415  few fleets are in an object store

    try:
        return fsspec.core.url_to_fs(url)[0]
    except (ImportError, ValueError) as error:
        raise TrtlensError(f"{url} cannot be opened ({error}): install the package for it, as s3fs or gcsfs") from error


# -- batches ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DataFile:
    """One Parquet file of a batch."""

    table: str
    trt: str
    name: str
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Runs that were written together.

    Attributes:
        id: hash of what it holds.
        created: when it was named, UTC, ISO 8601.
        runs: by the id of each run the version of trtlens that read it.
        files: its data.
        replaces: batches whose rows it holds, which count no longer.
    """

    id: str
    created: str
    runs: Mapping[str, str]
    files: tuple[DataFile, ...]
    replaces: tuple[str, ...] = ()

    @property
    def bytes(self) -> int:
        """Size of its data."""
        return sum(file.bytes for file in self.files)


def manifest_name(batch: str) -> str:
    """The manifest of a batch."""
    return f"batches/{batch}.json"


def name_batch(place: Place, batch: Batch) -> None:
    """Write the manifest: from now on the batch counts."""
    text = json.dumps({"format": FORMAT, "generator": GENERATOR, **asdict(batch)}, indent=None)
    place.write(manifest_name(batch.id), text.encode())


def check_fleet(place: Place, *, create: bool = False) -> None:
    """Ask whether there is a fleet, or make an empty one.

    Raises:
        TrtlensError: there is none, one of a newer format, or something else.

    """
    try:
        document = parse_json(place.read(FLEET_JSON).decode(), FLEET_JSON)
    except FileNotFoundError as error:
        if not create:
            raise TrtlensError(
                f"{place.root} holds no fleet: make one with trtlens fleet add LOG... --to FLEET"
            ) from error
        if place.names(""):
            raise TrtlensError(f"{place.root} holds files that are no fleet: choose a new folder") from error
        place.write(FLEET_JSON, json.dumps({"format": FORMAT, "generator": GENERATOR}).encode())
        return
    except (OSError, FormatError, UnicodeDecodeError) as error:
        raise TrtlensError(f"{place.path(FLEET_JSON)} cannot be read ({error}): check the fleet") from error
    number = document.get("format") if isinstance(document, dict) else None
    if type(number) is not int or number > FORMAT:
        raise TrtlensError(f"{place.root} has format {number}, this trtlens reads up to {FORMAT}: update trtlens")


@dataclass(frozen=True, slots=True)
class Manifest:
    """The batches that count, oldest first, and in each the runs that count from another one."""

    batches: tuple[Batch, ...]
    superseded: Mapping[str, frozenset[str]]

    @property
    def runs(self) -> dict[str, str]:
        """Every run, with the version of trtlens that read it."""
        return {
            run: version
            for batch in self.batches
            for run, version in batch.runs.items()
            if run not in self.superseded.get(batch.id, ())
        }

    def files(self, table: str) -> list[tuple[Batch, list[DataFile]]]:
        """The files of a table, by batch; batches without one are left out."""
        found = [(batch, [file for file in batch.files if file.table == table]) for batch in self.batches]
        return [(batch, files) for batch, files in found if files]


def read_manifest(place: Place) -> Manifest:
    """What counts in a fleet now.

    Raises:
        TrtlensError: a manifest cannot be read.

    """
    named = {batch.id: batch for batch in _manifests(place)}
    replaced = {old for batch in named.values() for old in batch.replaces}
    counted = [batch for name, batch in named.items() if name not in replaced]
    batches = tuple(sorted(counted, key=lambda batch: (batch.created, batch.id)))
    return Manifest(batches, _superseded(batches))


def _manifests(place: Place) -> Iterable[Batch]:
    for name in place.names("batches"):
        if not name.endswith(".json"):
            continue
        try:
            document = json.loads(place.read(name))
            files = tuple(DataFile(**file) for file in document["files"])
            yield Batch(document["id"], document["created"], document["runs"], files, tuple(document["replaces"]))
        except FileNotFoundError:  # another one has just compacted the fleet
            continue
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise TrtlensError(
                f"{place.path(name)} is no manifest ({error}): remove it and add its logs again"
            ) from error


def _superseded(batches: Sequence[Batch]) -> dict[str, frozenset[str]]:
    best: dict[str, tuple[tuple[int, ...], str]] = {}
    for batch in batches:
        for run, version in batch.runs.items():
            order = version_order(version)
            if run not in best or order > best[run][0]:
                best[run] = order, batch.id
    lost = {batch.id: frozenset(run for run in batch.runs if best[run][1] != batch.id) for batch in batches}
    return {name: runs for name, runs in lost.items() if runs}


def version_order(version: str) -> tuple[int, ...]:
    """A version of trtlens as numbers that compare."""
    return tuple(int(digits) for digits in re.findall(r"\d{1,9}", version))
