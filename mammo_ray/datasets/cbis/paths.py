"""Which file each path of the CBIS-DDSM case tables means, told by one index of names.

File names and columns of the tables do not tell crop from mask: in most series both lie together
under numbers that are reversed between mass and calcification tables, with exceptions. So a path
is resolved through its Series Instance UID, and crop and mask are told apart by evidence
(`cbis.pixels`): the same resolver runs before any file is opened, to know of which files pixels
are needed, and once more with what was seen in them.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from mammo_ray.datasets.cbis.case_names import CaseName
from mammo_ray.datasets.cbis.lesions import Lesion
from mammo_ray.datasets.cbis.pixels import Evidence, Status, judge_film, tell_apart
from mammo_ray.schema import Kind
from mammo_ray.storage import StoredFile

_NOTHING = Evidence()


@dataclass(frozen=True)
class Found:
    """One path of the tables.

    Attributes:
        status: what became of it.
        how: what told it, or why nothing could.
        file: where resolved.
        by_pixels: names and texts did not tell.
    """

    status: Status
    how: str
    file: StoredFile | None = None
    by_pixels: bool = False


@dataclass(frozen=True)
class FilmPath:
    """A full film.

    Attributes:
        lesions: places of the rows that name it, by abnormality number.
        full: its file.
        candidates: every file of its series.
    """

    lesions: tuple[int, ...]
    full: Found
    candidates: tuple[StoredFile, ...]


@dataclass(frozen=True)
class PairPath:
    """Crop and mask of a lesion.

    Attributes:
        crop: the crop's file.
        mask: the mask's file.
        candidates: every file of the one or two series that the tables name for them.
    """

    crop: Found
    mask: Found
    candidates: tuple[StoredFile, ...]


@dataclass(frozen=True)
class CasePaths:
    """Every path of the tables.

    Attributes:
        films: one a film file, in the order of the tables.
        pairs: one a row of the tables, in their order.
    """

    films: tuple[FilmPath, ...]
    pairs: tuple[PairPath, ...]

    def of_kind(self, kind: Kind) -> list[Found]:
        """All films, crops or masks that the tables name."""
        if kind == Kind.FULL:
            return [film.full for film in self.films]
        return [pair.crop if kind == Kind.CROP else pair.mask for pair in self.pairs]

    def need_pixels(self) -> set[str]:
        """URIs of all files of which pixels may tell what they are."""
        found = [(film.full, film.candidates) for film in self.films]
        found += [(pair.crop, pair.candidates) for pair in self.pairs]
        undecided = (files for path, files in found if path.status == Status.NEEDS_PIXELS)
        return {file.uri for files in undecided for file in files}


@dataclass(frozen=True)
class KnownFiles:
    """What is known of the files of a listing.

    Attributes:
        by_series: files by the series of the tables to which they belong.
        cases: what the PatientID of a file names, by URI.
        evidence: of what a file shows, by URI.
        torn: URIs of files of which folder and header name different images of the tables.
    """

    by_series: Mapping[str, Sequence[StoredFile]]
    cases: Mapping[str, CaseName] = field(default_factory=dict)
    evidence: Mapping[str, Evidence] = field(default_factory=dict)
    torn: frozenset[str] = frozenset()

    def files(self, *series: str) -> tuple[StoredFile, ...]:
        """All files of some series, each once."""
        named = (file for uid in dict.fromkeys(series) for file in self.by_series.get(uid, ()))
        return tuple(dict.fromkeys(named))


def resolve_paths(lesions: Sequence[Lesion], known: KnownFiles) -> CasePaths:
    """The file of every full film, crop and mask, as far as what is known tells it."""
    groups: defaultdict[str, list[int]] = defaultdict(list)
    for place, lesion in enumerate(lesions):
        groups[lesion.full.series or lesion.full.path].append(place)
    named = [tuple(sorted(group, key=lambda k: _number(lesions[k]))) for group in groups.values()]
    film_files = [known.files(lesions[group[0]].full.series) for group in named]
    pair_files = [known.files(lesion.crop.series, lesion.mask.series) for lesion in lesions]
    judge = _Judge(known, _claimed_twice([*film_files, *pair_files]))
    films = [
        FilmPath(group, judge.film([lesions[place] for place in group], files), files)
        for group, files in zip(named, film_files, strict=True)
    ]
    film_of = {place: film.full.file for film in films for place in film.lesions}
    pairs = [
        PairPath(*judge.pair(lesion, files, film_of[place]), files)
        for place, (lesion, files) in enumerate(zip(lesions, pair_files, strict=True))
    ]
    return CasePaths(tuple(films), tuple(pairs))


def _number(lesion: Lesion) -> int:
    number = lesion.abnormality["number"]
    return number if isinstance(number, int) else 0


def _claimed_twice(owned: Sequence[Sequence[StoredFile]]) -> set[str]:
    """URIs of the files that several films or lesions could claim."""
    claims = Counter(file.uri for files in owned for file in files)
    return {uri for uri, count in claims.items() if count > 1}


@dataclass(frozen=True)
class _Judge:
    """Decides over the files of one series."""

    known: KnownFiles
    claimed_twice: set[str]

    def film(self, lesions: Sequence[Lesion], files: Sequence[StoredFile]) -> Found:
        """The file of a film, which has a series of its own."""
        if not files:
            return _missing()
        if len(files) > 1:
            return _ambiguous(f"{len(files)} files in the series of one film")
        cases = {lesion.case.film() for lesion in lesions if lesion.case}
        if len(cases) > 1:
            return _ambiguous("the tables name its series for several films")
        verdict = judge_film(self._evidence(files[0], next(iter(cases), None)))
        file = files[0] if verdict.status == Status.RESOLVED else None
        return Found(verdict.status, verdict.how, file, verdict.by_pixels)

    def pair(
        self, lesion: Lesion, files: Sequence[StoredFile], film: StoredFile | None
    ) -> tuple[Found, Found]:
        """Crop and mask."""
        if not files:
            return _missing(), _missing()
        if len(files) > 2:
            several = _ambiguous(f"{len(files)} files where a crop and a mask were expected")
            return several, several
        evidence = [self._evidence(file, lesion.case) for file in files]
        second = evidence[1] if len(files) == 2 else None
        verdict = tell_apart(
            evidence[0], second, self.known.evidence.get(film.uri) if film else None
        )
        if verdict.status != Status.RESOLVED:
            unknown = Found(verdict.status, verdict.how)
            return unknown, unknown
        found = [Found(Status.RESOLVED, verdict.how, file, verdict.by_pixels) for file in files]
        if len(found) == 1:
            found.append(_missing())
        mask = 0 if verdict.mask_is_first else 1
        return found[1 - mask], found[mask]

    def _evidence(self, file: StoredFile, case: CaseName | None) -> Evidence:
        """What is known of a file, and what speaks against its being one of a case."""
        known, said = self.known.evidence.get(file.uri, _NOTHING), self.known.cases.get(file.uri)
        if file.uri in self.claimed_twice:
            return replace(known, fault="several images of the tables name its series")
        if file.uri in self.known.torn:
            return replace(known, fault="folder and header name different images of the tables")
        if case is not None and said is not None and not case.fits(said):
            return replace(known, fault="its PatientID names another case than the tables")
        return known


def _missing() -> Found:
    return Found(Status.MISSING, "the table names this image and its file is not there")


def _ambiguous(how: str) -> Found:
    return Found(Status.AMBIGUOUS, how)
