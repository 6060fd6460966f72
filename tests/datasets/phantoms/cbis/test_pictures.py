"""The pictures of a CBIS-DDSM phantom: films, masks and crops that fit each other."""

import cv2
import numpy as np
import pytest

from mammo_ray.datasets.phantoms.cbis.cases import CaseRow, FilmKey
from mammo_ray.datasets.phantoms.cbis.invented import invent_case_tables
from mammo_ray.datasets.phantoms.cbis.pictures import FilmPicture, draw_film, place_of

FILMS: dict[FilmKey, list[CaseRow]] = {}
for _table in invent_case_tables(60, 0, 0.3):
    for _row in _table.rows:
        FILMS.setdefault(_row.film, []).append(_row)


@pytest.fixture(scope="module")
def pictures() -> dict[FilmKey, FilmPicture]:
    return {film: draw_film(film, rows, 0) for film, rows in FILMS.items()}


def test_a_crop_is_its_films_own_pixels(pictures: dict[FilmKey, FilmPicture]) -> None:
    for picture in pictures.values():
        for lesion in picture.lesions:
            place = place_of(lesion.mask)
            box = picture.full[place.top : place.bottom + 1, place.left : place.right + 1]
            np.testing.assert_array_equal(box, lesion.crop)
            assert min(lesion.crop.shape) >= 6


def test_every_lesion_of_a_film_has_a_mask_of_its_own(
    pictures: dict[FilmKey, FilmPicture],
) -> None:
    several = [p for film, p in pictures.items() if len(FILMS[film]) > 1]
    assert several
    for picture in several:
        masks = np.stack([lesion.mask for lesion in picture.lesions])
        assert masks.any(axis=(1, 2)).all()
        overlap = (masks.sum(axis=0) > 1).sum() / masks.any(axis=0).sum()
        assert overlap < 0.25


def test_lesions_stand_out_from_the_tissue_around_them(
    pictures: dict[FilmKey, FilmPicture],
) -> None:
    contrasts = []
    for picture in pictures.values():
        for lesion in picture.lesions:
            wide = cv2.dilate(lesion.mask.astype(np.uint8), np.ones((13, 13), np.uint8)) > 0
            inside = picture.full[lesion.mask].mean()
            contrasts.append(float(inside / picture.full[wide & ~lesion.mask].mean()))
    assert np.median(contrasts) > 1.1


def test_films_have_several_aspects_and_fit_their_side(
    pictures: dict[FilmKey, FilmPicture],
) -> None:
    aspects = {round(p.full.shape[1] / p.full.shape[0], 2) for p in pictures.values()}
    assert len(aspects) > 5
    for (_, laterality, _), picture in pictures.items():
        height, width = picture.full.shape
        assert height > width
        middle = picture.full[height // 3 : 2 * height // 3]
        left, right = middle[:, : width // 4].mean(), middle[:, -width // 4 :].mean()
        assert (left > right) == (laterality == "L")


def test_a_picture_depends_on_film_and_seed_alone() -> None:
    film, rows = next(iter(FILMS.items()))
    np.testing.assert_array_equal(draw_film(film, rows, 0).full, draw_film(film, rows, 0).full)
    other = draw_film(film, rows, 1).full
    assert other.shape != draw_film(film, rows, 0).full.shape or (
        (other != draw_film(film, rows, 0).full).any()
    )
