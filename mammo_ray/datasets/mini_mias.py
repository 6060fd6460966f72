"""Layout `mini-mias`: the mini-MIAS database of digitised films, `mdbNNN.pgm` and `Info.txt`.

J Suckling et al., "The Mammographic Image Analysis Society digital mammogram database", Excerpta
Medica ICS 1069 (1994) 375-378: 322 mediolateral oblique films of 161 women, reduced to 0.2 mm a
pixel in 1024 x 1024 images.

- Films 2k-1 and 2k are the right and the left film of woman k, here `MIAS000k`.
- Labels speak of a film: cancer is 1 where any of its abnormalities is malignant (M).
- A film has a line for each of its abnormalities; some have no coordinates, and their entry in
  `outlines` is null.
- Coordinates count from the bottom-left corner: row = 1024 - y, column = x.
- A film that `Info.txt` lists and that is not there is a rejection (`missing-file`), for nothing
  is lost silently. Whoever works on a part of the database sets `data.allowed_rejected_share`.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import PurePosixPath

import pyarrow.compute as pc

from mammo_ray import storage
from mammo_ray.datasets.file_names import is_document
from mammo_ray.datasets.known_files import LeftOut, filled_manifest, known_table, reject_rows
from mammo_ray.datasets.manifest import Manifest
from mammo_ray.datasets.source import Request, Source, find_table, seen_names
from mammo_ray.errors import InputError
from mammo_ray.identifiers import keyed_id
from mammo_ray.schema import (
    ExclusionRule,
    ImageKind,
    Kind,
    LabelLevel,
    LabelSource,
    Laterality,
    OutlineForm,
    RejectionReason,
    ViewPosition,
)
from mammo_ray.storage import StoredFile

FILM_SIZE = 1024  # rows and columns of every film
PIXEL_SPACING_MM = 0.2

_NAME = re.compile(r"mdb[0-9]{3,}", re.IGNORECASE)
_LINE = re.compile(
    r"(?P<film>mdb[0-9]{3,})\s+(?P<tissue>[FGD])\s+"
    r"(?:NORM|(?P<type>CALC|CIRC|SPIC|MISC|ARCH|ASYM)\s+(?P<severity>[BM])"
    r"(?:\s+(?P<x>[0-9]+)\s+(?P<y>[0-9]+)\s+(?P<radius>[0-9]+)|\s+\*NOTE\s*[0-9]+\*)?)\s*",
    re.IGNORECASE,
)
_PATHOLOGY = {"M": "MALIGNANT", "B": "BENIGN"}


@dataclass
class Film:
    """What `Info.txt` says of one film.

    Attributes:
        number: of its name, from 1.
        tissue: F (fatty), G (fatty-glandular), D (dense-glandular).
        abnormalities: entries of the manifest's `abnormalities`.
        outlines: entries of the manifest's `outlines`, null where there are no coordinates.
        fault: what is wrong with its lines; empty: nothing.
    """

    number: int
    tissue: str | None = None
    abnormalities: list[dict[str, object]] = field(default_factory=list)
    outlines: list[dict[str, object] | None] = field(default_factory=list)
    fault: str = ""

    @property
    def patient_id(self) -> str:
        """The woman: films 2k-1 and 2k are of woman k."""
        return f"MIAS{(self.number + 1) // 2:04d}"

    @property
    def laterality(self) -> str:
        """Odd films are right, even ones left."""
        return str(Laterality.RIGHT if self.number % 2 else Laterality.LEFT)

    @property
    def pathology(self) -> str | None:
        """The worst pathology of its abnormalities; None for a normal film."""
        found = {item["pathology"] for item in self.abnormalities}
        return next((word for word in _PATHOLOGY.values() if word in found), None)


class MiniMiasReader:
    """`Info.txt` says everything; films are opened for their headers."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._left_out = LeftOut(source)
        self._films = read_info(read_text(find_table(source, "Info.txt")))
        files = self._sort_files()
        if not files:
            raise InputError(f"films mdbNNN.pgm were expected; seen: {seen_names(source)}")
        self._known = {
            file.uri: self._films.get(number, Film(number))
            for number, found in files.items()
            for file in found
        }
        self._requests = [
            Request(found[0])
            for number, found in sorted(files.items())
            if self._is_settled(found, self._films.get(number))
        ]
        self._look_for_missing(files)

    def requests(self) -> Iterable[Request]:
        """The films that `Info.txt` lists, that are there, and there once."""
        return self._requests

    def finish(self, examined: Manifest) -> Manifest:
        """The manifest."""
        rows = examined.rows
        sizes = [pc.not_equal(rows[name], FILM_SIZE) for name in ("rows", "columns")]
        wrong = pc.fill_null(pc.or_(*sizes), fill_value=False)
        detail = f"Info.txt places circles in {FILM_SIZE} x {FILM_SIZE} images; this is none"
        sized = reject_rows(examined, wrong, RejectionReason.TABLE_ROW_INVALID, detail)
        return filled_manifest(sized, known_table(self._columns()), self._left_out)

    def _sort_files(self) -> dict[int, list[StoredFile]]:
        """The files of every film; the others are left out."""
        films: defaultdict[int, list[StoredFile]] = defaultdict(list)
        for file in self._source.index.files:
            name = PurePosixPath(file.relative_path)
            if is_document(file.relative_path):
                self._left_out.exclude(file, ExclusionRule.NOT_AN_IMAGE, "a document")
            elif _NAME.fullmatch(name.stem):
                films[int(name.stem[3:])].append(file)
            else:
                self._left_out.exclude(file, ExclusionRule.NOT_IN_LAYOUT, "not named mdbNNN")
        return films

    def _is_settled(self, files: Sequence[StoredFile], film: Film | None) -> bool:
        """Whether a film is listed without fault and there once; else its files are rejected."""
        if film is None:
            reason, detail = RejectionReason.NOT_IN_TABLE, "Info.txt does not list this film"
        elif film.fault:
            reason, detail = RejectionReason.TABLE_ROW_INVALID, f"Info.txt {film.fault}"
        elif len(files) > 1:
            reason, detail = RejectionReason.AMBIGUOUS_FILE, f"{len(files)} files are of this film"
        else:
            return True
        for file in files:
            self._left_out.reject(file, reason, detail)
        return False

    def _look_for_missing(self, files: Mapping[int, list[StoredFile]]) -> None:
        """Reject every film that is listed and not there, by the path where it was expected."""
        folders = Counter(
            file.relative_path.rpartition("/")[0] for found in files.values() for file in found
        )
        folder = folders.most_common(1)[0][0]
        for number, film in self._films.items():
            if number in files:
                continue
            path = "/".join(filter(None, [folder, f"mdb{number:03d}.pgm"]))
            file = StoredFile(path, storage.join(self._source.root, path), 0)
            self._left_out.reject(
                file, RejectionReason.MISSING_FILE, "Info.txt lists this film; it is not there"
            )
            self._known[file.uri] = film

    def _columns(self) -> dict[str, Sequence[object]]:
        """Columns of the manifest for every film, by uri."""
        films = list(self._known.values())
        view, count = str(ViewPosition.MLO), len(films)
        by_film = partial(keyed_id, "film", self._source.key, self._source.dataset)
        return {
            "uri": list(self._known),
            "patient_id": [film.patient_id for film in films],
            "laterality": [film.laterality for film in films],
            "view_position": [view] * count,
            "film_id": [by_film(film.patient_id, film.laterality, view) for film in films],
            "kind": [str(Kind.FULL)] * count,
            "image_kind": [str(ImageKind.FILM)] * count,
            "cancer": [int(film.pathology == _PATHOLOGY["M"]) for film in films],
            "label_level": [str(LabelLevel.IMAGE)] * count,
            "label_source": [film.pathology and str(LabelSource.PATHOLOGY) for film in films],
            "pathology": [film.pathology for film in films],
            "density": [film.tissue for film in films],
            "abnormalities": [film.abnormalities or None for film in films],
            "outlines": [film.outlines or None for film in films],
            "pixel_spacing_mm": [[PIXEL_SPACING_MM] * 2] * count,
        }


def read_text(file: StoredFile) -> str:
    """The text of `Info.txt`.

    Raises:
        InputError: it cannot be read or is not text.
    """
    try:
        return storage.read_bytes(file.uri).decode("utf-8-sig")
    except (FileNotFoundError, PermissionError) as error:
        raise InputError(f"Info.txt cannot be read: {type(error).__name__}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"Info.txt is not text in UTF-8: {error}") from error


def read_info(text: str) -> dict[int, Film]:
    """The films of `Info.txt`, by number; prose around their lines is passed over.

    Raises:
        InputError: no line speaks of a film.
    """
    films: dict[int, Film] = {}
    normal: set[int] = set()
    for line, content in enumerate(text.splitlines(), start=1):
        name = _NAME.match(content.strip())
        if name is None:
            continue
        film = films.setdefault(int(name[0][3:]), Film(int(name[0][3:])))
        found = _LINE.fullmatch(content.strip())
        fault = "is not 'film tissue class severity x y radius'" if found is None else ""
        if found is not None:
            fault = _take_line(film, found.groupdict(), normal)
        if fault and not film.fault:
            film.fault = f"line {line} {fault}"
    if not films:
        raise InputError(
            "Info.txt has no line such as 'mdb001 G CIRC B 535 425 197'; it has "
            f"{len(text.splitlines())} lines"
        )
    return films


def _take_line(film: Film, said: dict[str, str | None], normal: set[int]) -> str:
    """Add one line to its film; what is wrong with it, or an empty text."""
    tissue = str(said["tissue"]).upper()
    if film.tissue not in {None, tissue}:
        return f"says tissue {tissue}, another line of the film {film.tissue}"
    film.tissue = tissue
    if said["type"] is None:
        normal.add(film.number)
    else:
        film.abnormalities.append(
            {
                "number": len(film.abnormalities) + 1,
                "type": said["type"].upper(),
                "pathology": _PATHOLOGY[str(said["severity"]).upper()],
            }
        )
        film.outlines.append(None)
    if film.number in normal and film.abnormalities:
        return "makes the film both normal and abnormal"
    if said["radius"] is None:
        return ""
    x, y, radius = (int(str(said[name])) for name in ("x", "y", "radius"))
    if not (x < FILM_SIZE and 1 <= y <= FILM_SIZE and 1 <= radius <= FILM_SIZE):
        return f"has a circle that is not inside an image of {FILM_SIZE} x {FILM_SIZE}"
    film.outlines[-1] = {
        "form": str(OutlineForm.CIRCLE),
        "points": [float(FILM_SIZE - y), float(x)],
        "radius": float(radius),
    }
    return ""
