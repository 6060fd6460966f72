"""The manifest of CBIS-DDSM: every listed file once, and every file that is missing."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from mammo_ray import storage
from mammo_ray.datasets.cbis.case_names import parse_case_name
from mammo_ray.datasets.cbis.lesions import Lesion, Named
from mammo_ray.datasets.cbis.paths import CasePaths, Found, PairPath
from mammo_ray.datasets.cbis.pixels import Status
from mammo_ray.datasets.cbis.rows import Labeller, lesions_by_film
from mammo_ray.datasets.known_files import LeftOut, fill, known_table, table_of
from mammo_ray.datasets.manifest import Manifest, Row
from mammo_ray.datasets.source import Source
from mammo_ray.schema import (
    MANIFEST,
    REJECTIONS,
    ExclusionRule,
    Kind,
    RejectionReason,
    Stage,
)
from mammo_ray.storage import StoredFile

# In CBIS-DDSM every file is a study of its own, dated when it was converted: no exam is told.
_NOT_OF_THE_EXAM = ("study_uid", "study_date", "accession")
_LABELS = [name for name in MANIFEST.names if name not in _NOT_OF_THE_EXAM]


@dataclass(frozen=True)
class Reading:
    """A data set whose paths are settled.

    Attributes:
        source: the data set.
        lesions: rows of the case tables.
        paths: their files.
        examined: what the requested files say of themselves.
    """

    source: Source
    lesions: Sequence[Lesion]
    paths: CasePaths
    examined: Manifest

    def manifest(self, left_out: LeftOut) -> Manifest:
        """The manifest.

        Args:
            left_out: what is known already of files that no row of the tables names.
        """
        settled = _uris(self.examined.exclusions) | _uris(self.examined.rejections)
        fates = _Fates(left_out, settled)
        self._sort_pairs(fates)
        self._sort_films(fates)
        usable = frozenset(_uris(self.examined.rows))
        rows = self._labelled(Labeller(self.source, usable, lesions_by_film(self.lesions)))
        known = known_table({name: [row.get(name) for row in rows] for name in _LABELS})
        return self._joined(known, fates)

    def _fault(self, places: Sequence[int]) -> str | None:
        return next((self.lesions[k].fault for k in places if self.lesions[k].fault), None)

    def _sort_films(self, fates: "_Fates") -> None:
        for film in self.paths.films:
            lesion = self.lesions[film.lesions[0]]
            fates.sort(film.full, film.candidates, lesion, self._fault(film.lesions))
            if film.full.status == Status.MISSING:
                fates.miss(self.source, lesion, [lesion.full], film.full.how)

    def _sort_pairs(self, fates: "_Fates") -> None:
        for lesion, pair in zip(self.lesions, self.paths.pairs, strict=True):
            files = pair.candidates
            if pair.mask.file is not None and not lesion.fault:
                fates.mask(pair.mask.file, lesion)
                files = tuple(file for file in files if file is not pair.mask.file)
            fates.sort(pair.crop, files, lesion, lesion.fault)
            for named, how in _missing(lesion, pair):
                fates.miss(self.source, lesion, named, how)

    def _labelled(self, labeller: Labeller) -> list[Row]:
        """Rows of all films and crops that are known and have no fault."""
        rows, parents = [], {}
        for film in self.paths.films:
            file = film.full.file
            if file is None or self._fault(film.lesions) or file.uri not in labeller.usable:
                continue
            parents.update(dict.fromkeys(film.lesions, file))
            lesions = [self.lesions[k] for k in film.lesions]
            rows.append(labeller.film(file, lesions, [self.paths.pairs[k] for k in film.lesions]))
        for place, (lesion, pair) in enumerate(zip(self.lesions, self.paths.pairs, strict=True)):
            file = pair.crop.file
            if file is not None and not lesion.fault and file.uri in labeller.usable:
                rows.append(labeller.crop(file, lesion, parents.get(place)))
        return rows

    def _joined(self, known: pa.Table, fates: "_Fates") -> Manifest:
        """Rows with their labels, and everything else with what is known of whose image it is."""
        rows = self.examined.rows
        rows = rows.filter(pc.is_in(rows["uri"], value_set=known["uri"].combine_chunks()))
        rows = _without_exam(rows.select(MANIFEST.names).cast(MANIFEST))
        identity = known_table(fates.identity_columns())
        left = fates.left_out
        rejections = [self.examined.rejections, left.rejections()]
        tables = [
            fill(_without_exam(_named(table)), identity)
            for table in (
                pa.concat_tables([self.examined.exclusions, left.exclusions()]),
                pa.concat_tables([*rejections, fates.missing_table()]),
            )
        ]
        return Manifest(fill(rows, known), *tables)


class _Fates:
    """What becomes of files that are not rows, each told once."""

    def __init__(self, left_out: LeftOut, settled: set[str]) -> None:
        self.left_out = left_out
        self.settled = settled
        self._identity: dict[str, Row] = {}
        self._missing: dict[str, Row] = {}
        self._listed = {file.uri for file in left_out.source.index.files}

    def mask(self, file: StoredFile, lesion: Lesion) -> None:
        """A mask is not a row: it stands in the row of its film."""
        self._identity[file.uri] = dict(lesion.identity)
        if file.uri not in self.settled:
            self.settled.add(file.uri)
            rule = ExclusionRule.MASK_OF_AN_IMAGE
            self.left_out.exclude(file, rule, f"mask of abnormality {_number(lesion)}")

    def sort(
        self, found: Found, files: Sequence[StoredFile], lesion: Lesion, fault: str | None
    ) -> None:
        """Reject files whose table row cannot be used, and those that nothing could tell."""
        for file in files:
            self._identity.setdefault(file.uri, dict(lesion.identity))
            if file.uri in self.settled or (fault is None and file is found.file):
                continue
            self.settled.add(file.uri)
            if fault:
                self.left_out.reject(file, RejectionReason.TABLE_ROW_INVALID, fault)
            else:
                undecided = "undecided without pixels: " * (found.status == Status.NEEDS_PIXELS)
                detail = undecided + found.how
                self.left_out.reject(file, RejectionReason.AMBIGUOUS_FILE, detail)

    def miss(self, source: Source, lesion: Lesion, named: Sequence[Named], how: str) -> None:
        """A file that a table names and that is not there, under a path that no file has."""
        paths = [name.path for name in named]
        for path in [*paths, *(f"{path}.missing" for path in paths)]:
            uri = storage.join(source.root, path)
            if uri not in self._listed and uri not in self._missing:
                self._missing[uri] = {"image_id": source.image_id(path), "detail": how}
                self._identity[uri] = dict(lesion.identity)
                return

    def identity_columns(self) -> dict[str, Sequence[object]]:
        """Whose image every file is, as columns for `known_table`."""
        rows = self._identity
        columns: dict[str, Sequence[object]] = {"uri": list(rows)}
        for name in ("patient_id", "laterality", "view_position"):
            columns[name] = [row[name] for row in rows.values()]
        return columns

    def missing_table(self) -> pa.Table:
        """The missing files, `schema.REJECTIONS`."""
        rows = list(self._missing.values())
        return table_of(
            {
                "image_id": [row["image_id"] for row in rows],
                "uri": list(self._missing),
                "stage": [str(Stage.MANIFEST)] * len(rows),
                "reason": [str(RejectionReason.MISSING_FILE)] * len(rows),
                "detail": [row["detail"] for row in rows],
            },
            REJECTIONS,
        )


def _missing(lesion: Lesion, pair: PairPath) -> list[tuple[list[Named], str]]:
    """Paths under which the missing files of a pair can be named, and how it is known.

    The columns of the tables may be swapped: a crop can be missing under the path of a mask.
    """
    gone: list[tuple[list[Named], str]] = []
    if pair.crop.status == Status.MISSING:
        gone.append(([lesion.crop, lesion.mask], f"{Kind.CROP}: {pair.crop.how}"))
    if pair.mask.status == Status.MISSING:
        gone.append(([lesion.mask, lesion.crop], f"{Kind.MASK}: {pair.mask.how}"))
    if not gone and len(pair.candidates) == 1:
        gone.append(([lesion.mask, lesion.crop], "the crop or the mask of the lesion"))
    return gone


def _uris(table: pa.Table) -> set[str]:
    return set(table.column("uri").to_pylist())


def _number(lesion: Lesion) -> object:
    return lesion.abnormality["number"]


def _without_exam(table: pa.Table) -> pa.Table:
    """The table without the identity that a header has and CBIS-DDSM does not mean."""
    for name in _NOT_OF_THE_EXAM:
        place = table.schema.get_field_index(name)
        table = table.set_column(place, table.schema.field(name), pa.nulls(len(table), pa.string()))
    return table


def _named(table: pa.Table) -> pa.Table:
    """Headers hold case names where a patient is meant: only the patient stays."""
    cases = [parse_case_name(text) for text in table["patient_id"].to_pylist()]
    patients = pa.array([case and case.patient_id for case in cases], pa.string())
    place = table.schema.get_field_index("patient_id")
    return table.set_column(place, table.schema.field("patient_id"), patients)
