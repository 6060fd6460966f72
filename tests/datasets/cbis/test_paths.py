"""The resolver: series to files, and every reason why a path stays without one."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from mammo_ray.datasets.cbis.lesions import Lesion, lesions_of
from mammo_ray.datasets.cbis.paths import KnownFiles, resolve_paths
from mammo_ray.datasets.cbis.pixels import Evidence, Status
from mammo_ray.datasets.cbis.tables import read_case_tables
from mammo_ray.storage import StoredFile
from tests.datasets.cbis.small import Row, write_case_tables
from tests.datasets.reading import source_of

ROW = Row()
FULL, FIRST, SECOND = (StoredFile(name, f"s/{name}", 1) for name in ("f", "a", "b"))
SEEN = {FIRST.uri: Evidence(near_binary=1.0), SECOND.uri: Evidence(near_binary=0.1)}


def _lesions(folder: Path, *rows: Row) -> list[Lesion]:
    write_case_tables(folder, *rows)
    return lesions_of(read_case_tables(source_of(folder)))


def _known(pair: Sequence[StoredFile], evidence: dict[str, Evidence] | None = None) -> KnownFiles:
    by_series = {ROW.film_series: [FULL], ROW.crop_series: list(pair)}
    return KnownFiles(by_series, evidence=evidence or {})


def test_a_film_resolves_by_its_series_and_a_pair_waits_for_pixels(tmp_path: Path) -> None:
    paths = resolve_paths(_lesions(tmp_path, ROW), _known([FIRST, SECOND]))
    assert (paths.films[0].full.file, paths.films[0].lesions) == (FULL, (0,))
    assert paths.pairs[0].crop.status == Status.NEEDS_PIXELS
    assert paths.need_pixels() == {FIRST.uri, SECOND.uri}


def test_pixels_name_crop_and_mask(tmp_path: Path) -> None:
    pair = resolve_paths(_lesions(tmp_path, ROW), _known([FIRST, SECOND], SEEN)).pairs[0]
    assert (pair.mask.file, pair.crop.file) == (FIRST, SECOND)
    assert pair.mask.by_pixels


def test_crop_and_mask_in_series_of_their_own_can_be_swapped(tmp_path: Path) -> None:
    row = Row(own_series=True)
    known = KnownFiles({row.crop_series: [FIRST], row.mask_series: [SECOND]}, evidence=SEEN)
    pair = resolve_paths(_lesions(tmp_path, row), known).pairs[0]
    assert (pair.mask.file, pair.crop.file) == (FIRST, SECOND)


@pytest.mark.parametrize(
    ("file", "there", "gone"), [(FIRST, "mask", "crop"), (SECOND, "crop", "mask")]
)
def test_one_file_is_told_and_the_other_missing(
    tmp_path: Path, file: StoredFile, there: str, gone: str
) -> None:
    pair = resolve_paths(_lesions(tmp_path, ROW), _known([file], SEEN)).pairs[0]
    assert getattr(pair, there).file == file
    assert getattr(pair, gone).status == Status.MISSING


def test_a_series_that_two_lesions_name_decides_for_neither(tmp_path: Path) -> None:
    other = Row(number=2)
    path = other.crop_path.replace(other.crop_series, ROW.crop_series)
    changed = {"cropped image file path": path, "ROI mask file path": path}
    lesions = _lesions(tmp_path, ROW, Row(number=2, changed=changed))
    paths = resolve_paths(lesions, _known([FIRST, SECOND], SEEN))
    assert [pair.mask.status for pair in paths.pairs] == [Status.AMBIGUOUS] * 2
    assert paths.films[0].full.file == FULL


def test_several_files_in_the_series_of_a_film_are_ambiguous(tmp_path: Path) -> None:
    known = KnownFiles({ROW.film_series: [FULL, FIRST]})
    film = resolve_paths(_lesions(tmp_path, ROW), known).films[0]
    assert film.full.status == Status.AMBIGUOUS
    assert film.candidates == (FULL, FIRST)


def test_without_files_all_three_are_missing(tmp_path: Path) -> None:
    paths = resolve_paths(_lesions(tmp_path, ROW), KnownFiles({}))
    found = (paths.films[0].full, paths.pairs[0].crop, paths.pairs[0].mask)
    assert {path.status for path in found} == {Status.MISSING}


def test_a_folder_and_a_header_that_disagree_are_ambiguous(tmp_path: Path) -> None:
    known = KnownFiles({ROW.film_series: [FULL]}, torn=frozenset({FULL.uri}))
    film = resolve_paths(_lesions(tmp_path, ROW), known).films[0]
    assert film.full.status == Status.AMBIGUOUS
