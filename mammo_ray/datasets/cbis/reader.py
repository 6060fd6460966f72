"""What the two editions of CBIS-DDSM have in common when they are read."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import pyarrow as pa

from mammo_ray.datasets.cbis.account import Reading
from mammo_ray.datasets.cbis.files import SeriesOfTables, with_facts, with_named_files
from mammo_ray.datasets.cbis.lesions import lesions_of
from mammo_ray.datasets.cbis.paths import CasePaths, KnownFiles, resolve_paths
from mammo_ray.datasets.cbis.statement import path_statement
from mammo_ray.datasets.cbis.tables import read_case_tables
from mammo_ray.datasets.known_files import LeftOut
from mammo_ray.datasets.manifest import Manifest
from mammo_ray.datasets.source import Source, seen_names
from mammo_ray.datasets.tabled_images import FileMatch, other_files
from mammo_ray.errors import InputError
from mammo_ray.schema import RejectionReason
from mammo_ray.storage import StoredFile


class CbisReader:
    """The case tables, the images of a listing, and the account of both.

    Attributes:
        source: the data set; tables alone stand for the files that they name.
        lesions: rows of the case tables.
        series: that the tables name.
        images: listed files that can be images of the edition.
        bits_tell: the bits of a file tell crop from mask.
    """

    bits_tell: ClassVar[bool]

    def __init__(self, source: Source, suffixes: tuple[str, ...], expected: str) -> None:
        """Read the tables.

        Args:
            source: the data set.
            suffixes: of images, in lower case.
            expected: where images lie, in words.

        Raises:
            InputError: a table is not what it should be, or no image of the edition is there.
        """
        self.lesions = lesions_of(read_case_tables(source))
        self.series = SeriesOfTables.of(self.lesions)
        self.source = with_named_files(source, self.lesions)
        files = self.source.index
        self.images: Sequence[StoredFile] = (
            files.with_suffix(*suffixes) if source.index.files else files.files
        )
        if not self.images:
            seen = seen_names(replace(source, tables=None))
            raise InputError(f"no image is there; expected {expected}, seen: {seen}")
        self._settled: tuple[CasePaths, KnownFiles] | None = None

    def account(
        self, known: KnownFiles, examined: Manifest, unopened: Iterable[StoredFile] = ()
    ) -> Manifest:
        """The manifest.

        Args:
            known: files by series, and what names and texts say of them.
            examined: what the requested files say of themselves.
            unopened: images that were not requested, as no table names them.
        """
        known = with_facts(known, examined, bits_tell=self.bits_tell)
        paths = resolve_paths(self.lesions, known)
        self._settled = (paths, known)
        left_out = LeftOut(self.source)
        for file in (*unopened, *self._unnamed(known, examined)):
            left_out.reject(file, RejectionReason.NOT_IN_TABLE, "no case table names its series")
        match = FileMatch([], list(self.images), [], [], [])
        documents = Manifest.of_rows((), other_files(self.source, match)).exclusions
        read = Reading(self.source, self.lesions, paths, examined).manifest(left_out)
        return replace(read, exclusions=pa.concat_tables([read.exclusions, documents]))

    def _unnamed(self, known: KnownFiles, examined: Manifest) -> list[StoredFile]:
        """Opened images that belong to no series of the tables."""
        named = {file.uri for files in known.by_series.values() for file in files}
        opened = set(examined.rows.column("uri").to_pylist())
        others = opened - named
        return [file for file in self.images if file.uri in others]

    def statement(self) -> dict[str, Any]:
        """How the paths were resolved, for the run record; empty before `finish`."""
        if self._settled is None:
            return {}
        paths, known = self._settled
        return path_statement(paths, self.lesions, known)
