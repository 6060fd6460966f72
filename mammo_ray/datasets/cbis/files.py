"""The files of a CBIS-DDSM folder by Series Instance UID."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from mammo_ray import storage
from mammo_ray.datasets.cbis.case_names import CaseName, case_in_path, parse_case_name
from mammo_ray.datasets.cbis.lesions import Lesion
from mammo_ray.datasets.cbis.paths import KnownFiles
from mammo_ray.datasets.cbis.pixels import Evidence
from mammo_ray.datasets.manifest import Manifest
from mammo_ray.datasets.source import FileIndex, Source
from mammo_ray.storage import StoredFile


def with_named_files(source: Source, lesions: Sequence[Lesion]) -> Source:
    """The source; for tables without any file, as if every file that they name were there."""
    if source.index.files or not source.tables_only:
        return source
    names = (name for lesion in lesions for name in (lesion.full, lesion.crop, lesion.mask))
    paths = sorted({name.path for name in names})
    files = (StoredFile(path, storage.join(source.root, path), 0) for path in paths)
    return replace(source, index=FileIndex(tuple(files)))


@dataclass(frozen=True)
class SeriesOfTables:
    """Which series the tables name, and for which case.

    Attributes:
        films: series of full films.
        pairs: series of crops and masks.
        by_case: a series of every case.
    """

    films: frozenset[str]
    pairs: frozenset[str]
    by_case: Mapping[CaseName, str]

    @classmethod
    def of(cls, lesions: Sequence[Lesion]) -> "SeriesOfTables":
        """The series of all rows."""
        by_case: dict[CaseName, str] = {}
        for lesion in lesions:
            if lesion.case is not None and lesion.fault is None:
                by_case[lesion.case] = lesion.crop.series
                by_case[lesion.case.film()] = lesion.full.series
        pairs = [name.series for lesion in lesions for name in (lesion.crop, lesion.mask)]
        films = frozenset(lesion.full.series for lesion in lesions)
        return cls(films - {""}, frozenset(pairs) - {""}, by_case)

    def __contains__(self, series: object) -> bool:
        """Whether the tables name a series."""
        return series in self.films or series in self.pairs


def folder_of(file: StoredFile) -> str:
    """The name of a file's folder."""
    return file.relative_path.rpartition("/")[0].rpartition("/")[2]


def by_folder(files: Iterable[StoredFile], series: SeriesOfTables) -> dict[str, list[StoredFile]]:
    """The files whose folder is a series of the tables, by that series."""
    found: defaultdict[str, list[StoredFile]] = defaultdict(list)
    for file in files:
        if folder_of(file) in series:
            found[folder_of(file)].append(file)
    return dict(found)


def by_header(
    files: Iterable[StoredFile], series: SeriesOfTables, examined: Manifest
) -> KnownFiles:
    """The files by the series that header or folder name, else by the case that they name.

    Downloads name folders by UIDs, or by dates and descriptions that tell nothing.
    """
    names = ("uri", "series_uid", "patient_id")
    columns = (examined.rows.column(name).to_pylist() for name in names)
    headers = {uri: (uid, parse_case_name(text)) for uri, uid, text in zip(*columns, strict=True)}
    found: defaultdict[str, list[StoredFile]] = defaultdict(list)
    cases: dict[str, CaseName] = {}
    torn: set[str] = set()
    for file in files:
        uid, said = headers.get(file.uri, (None, None))
        place = case_in_path(file.relative_path)
        told = [case for case in (said, place) if case is not None]
        named = [name for name in (uid, folder_of(file)) if name in series]
        named = named or [series.by_case[case] for case in told if case in series.by_case]
        if told:
            cases[file.uri] = told[0]
        if len(set(named)) > 1 or (said and place and not said.fits(place)):
            torn.add(file.uri)
        if named:
            found[named[-1]].append(file)
    return KnownFiles(found, cases, torn=frozenset(torn))


def with_facts(known: KnownFiles, examined: Manifest, *, bits_tell: bool) -> KnownFiles:
    """The same files with what was seen in those that could be read.

    Args:
        known: what names and texts tell.
        examined: rows of `schema.EXAMINED`.
        bits_tell: the stored bits are those of the data set, not of a conversion.
    """
    names = ("uri", "rows", "columns", "bits", "near_binary")
    columns = (examined.rows.column(name).to_pylist() for name in names)
    evidence = dict(known.evidence)
    for uri, rows, width, bits, near_binary in zip(*columns, strict=True):
        evidence[uri] = replace(
            evidence.get(uri, Evidence()),
            size=(rows, width) if rows and width else None,
            bits=bits if bits_tell else None,
            near_binary=near_binary,
        )
    return replace(known, evidence=evidence)
