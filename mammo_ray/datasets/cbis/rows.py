"""Manifest columns of CBIS-DDSM's films and crops, from the rows of the case tables."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from mammo_ray.datasets.cbis.lesions import Lesion
from mammo_ray.datasets.cbis.paths import PairPath
from mammo_ray.datasets.cbis.tables import PATHOLOGIES
from mammo_ray.datasets.manifest import Row
from mammo_ray.datasets.source import Source
from mammo_ray.identifiers import keyed_id
from mammo_ray.schema import ImageKind, Kind, LabelLevel, LabelSource
from mammo_ray.storage import StoredFile

FilmKey = tuple[str | None, ...]


def film_key(lesion: Lesion) -> FilmKey:
    """Patient, side and view: what makes a film, over all tables."""
    return tuple(lesion.identity[name] for name in ("patient_id", "laterality", "view_position"))


def lesions_by_film(lesions: Iterable[Lesion]) -> dict[FilmKey, list[Lesion]]:
    """The rows of the tables that can be used, by film."""
    found: defaultdict[FilmKey, list[Lesion]] = defaultdict(list)
    for lesion in lesions:
        if lesion.fault is None:
            found[film_key(lesion)].append(lesion)
    return dict(found)


@dataclass(frozen=True)
class Labeller:
    """Makes rows of films and crops.

    Attributes:
        source: gives the ids.
        usable: URIs of files whose pixels may be used: examined without a fault.
        by_film: all usable rows of the tables by `film_key`: a film of the mass and of the
            calcification table has two files, and cancer that one of them names is in both.
    """

    source: Source
    usable: frozenset[str]
    by_film: Mapping[FilmKey, Sequence[Lesion]]

    def film(self, file: StoredFile, lesions: Sequence[Lesion], pairs: Sequence[PairPath]) -> Row:
        """Row of a full film: labels of the whole film, and the lesions that its file's rows name.

        Their masks have the size of this file, so lesions of another file are not among them.
        """
        return {
            **self._labels(self.by_film[film_key(lesions[0])]),
            "uri": file.uri,
            "kind": str(Kind.FULL),
            "split": lesions[0].split,
            "abnormalities": [lesion.abnormality for lesion in lesions],
            "label_level": str(LabelLevel.IMAGE),
            "mask_uris": [self._uri(pair.mask.file) for pair in pairs],
            "roi_uris": [self._uri(pair.crop.file) for pair in pairs],
        }

    def crop(self, file: StoredFile, lesion: Lesion, parent: StoredFile | None) -> Row:
        """Row of a crop: one lesion; its parent None where the film has no row of its own."""
        return {
            **self._labels([lesion]),
            "uri": file.uri,
            "kind": str(Kind.CROP),
            "parent_image_id": parent and self.source.image_id(parent.relative_path),
            "label_level": str(LabelLevel.LESION),
        }

    def _labels(self, lesions: Sequence[Lesion]) -> Row:
        """What films and crops have alike."""
        worst = min((lesion.pathology for lesion in lesions), key=PATHOLOGIES.index)
        source = LabelSource.FOLLOW_UP if worst == PATHOLOGIES[-1] else LabelSource.PATHOLOGY
        return {
            **lesions[0].identity,
            "film_id": self._film_id(lesions[0]),
            "image_kind": str(ImageKind.FILM),
            "split": lesions[0].split,
            "cancer": int(worst == PATHOLOGIES[0]),
            "label_source": str(source),
            "pathology": worst,
            "birads": _agreed(lesions, lambda lesion: lesion.birads),
            "density": _agreed(lesions, lambda lesion: lesion.density),
            "abnormalities": [lesion.abnormality for lesion in lesions],
        }

    def _film_id(self, lesion: Lesion) -> str:
        parts = (part or "" for part in film_key(lesion))
        return keyed_id("film", self.source.key, self.source.dataset, *parts)

    def _uri(self, file: StoredFile | None) -> str | None:
        return file.uri if file is not None and file.uri in self.usable else None


def _agreed(lesions: Sequence[Lesion], value: Callable[[Lesion], str | None]) -> str | None:
    """The one value on which all rows agree, else None."""
    values = {value(lesion) for lesion in lesions}
    return values.pop() if len(values) == 1 else None
