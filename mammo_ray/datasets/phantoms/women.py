"""Who is in a phantom archive: women, their breasts, findings and images, from a seed.

Woman k is the same whatever the number of women: every draw comes from a generator that is seeded
with the archive's seed and her number, or with that of the block of women she belongs to.
"""

from dataclasses import dataclass, replace

import numpy as np

from mammo_ray.datasets.phantoms.images import Breast, Lesion
from mammo_ray.datasets.phantoms.vendors import VENDORS, Vendor

STANDARD_VIEWS = (("R", "CC"), ("L", "CC"), ("R", "MLO"), ("L", "MLO"))

# Shares of women, unless said otherwise.
_CANCER_BLOCK = 8  # each run of so many women holds its share of cancers
_BENIGN = 0.12
_IMPLANT = 0.03
_ODD_VIEW = 0.05
_SPOT_VIEW = 0.04
_CALCIFICATIONS = 0.25  # of the lesions
_ODD_VIEWS = ("ML", "LM", "XCCL", "AT")
_DENSITY_SHARES = (0.10, 0.40, 0.40, 0.10)

# Names of the streams, so that no two draws share a generator.
_STREAM_CANCER, _STREAM_VENDOR, _STREAM_WOMAN, _STREAM_IMAGE = range(4)


@dataclass(frozen=True)
class PlannedImage:
    """One image that is to be made.

    Attributes:
        number: its place in the woman's study, from 0.
        laterality: L or R.
        view: a view position.
        spot: whether it is a spot compression magnification of the view.
    """

    number: int
    laterality: str
    view: str
    spot: bool = False


@dataclass(frozen=True)
class Woman:
    """One woman with one study.

    Attributes:
        number: from 0.
        vendor: whose machine took her images.
        age: years.
        study_day: days after the archive's first day.
        cancer_side: L, R or None.
        breasts: by laterality.
        images: four standard views, then any further ones.
    """

    number: int
    vendor: Vendor
    age: int
    study_day: int
    cancer_side: str | None
    breasts: dict[str, Breast]
    images: tuple[PlannedImage, ...]


def plan_woman(seed: int, number: int, cancer_share: float) -> Woman:
    """The woman of that number in the archive of that seed."""
    rng = np.random.default_rng([seed, _STREAM_WOMAN, number])
    side = str(rng.choice(["L", "R"]))
    density = int(rng.choice(4, p=_DENSITY_SHARES))
    base = Breast(
        depth=rng.uniform(0.46, 0.76),
        half_height=rng.uniform(0.29, 0.42),
        density=density,
        brightness=rng.uniform(0.85, 1.15),
        muscle=rng.uniform(0.40, 0.56),
        implant=bool(rng.uniform() < _IMPLANT),
    )
    breasts = {
        laterality: replace(
            base,
            depth=base.depth * rng.uniform(0.96, 1.04),
            half_height=base.half_height * rng.uniform(0.97, 1.03),
        )
        for laterality in ("R", "L")
    }
    malignant, benign = _draw_lesion(rng, "M"), _draw_lesion(rng, "B")
    cancer = _has_cancer(seed, number, cancer_share)
    other = {"L": "R", "R": "L"}[side]
    if cancer:
        breasts[side] = replace(breasts[side], lesion=malignant)
    if rng.uniform() < _BENIGN:
        breasts[other] = replace(breasts[other], lesion=benign)
    return Woman(
        number=number,
        vendor=_vendor(seed, number),
        age=int(rng.integers(45, 75)),
        study_day=int(rng.integers(0, 1000)),
        cancer_side=side if cancer else None,
        breasts=breasts,
        images=_plan_images(rng),
    )


def image_rng(seed: int, woman: int, image: int) -> np.random.Generator:
    """The generator for the pixels of one image."""
    return np.random.default_rng([seed, _STREAM_IMAGE, woman, image])


def _has_cancer(seed: int, number: int, share: float) -> bool:
    """Exact shares block by block, so that small archives are neither empty nor full of cancer."""
    block, place = divmod(number, _CANCER_BLOCK)
    order = np.random.default_rng([seed, _STREAM_CANCER, block]).permutation(_CANCER_BLOCK)
    before = round(block * _CANCER_BLOCK * share)
    count = round((block + 1) * _CANCER_BLOCK * share) - before
    return bool(order[place] < count)


def _vendor(seed: int, number: int) -> Vendor:
    """Every vendor once in each run of women, in an order of its own."""
    block, place = divmod(number, len(VENDORS))
    order = np.random.default_rng([seed, _STREAM_VENDOR, block]).permutation(len(VENDORS))
    return VENDORS[order[place]]


def _draw_lesion(rng: np.random.Generator, severity: str) -> Lesion:
    mass = {"M": "SPIC", "B": "CIRC"}[severity]
    kind = "CALC" if rng.uniform() < _CALCIFICATIONS else mass
    return Lesion(
        abnormality=kind,
        severity=severity,
        depth=rng.uniform(0.3, 0.75),
        height=rng.uniform(-0.8, 0.8),
        radius=rng.uniform(0.10, 0.12) if severity == "M" else rng.uniform(0.05, 0.08),
    )


def _plan_images(rng: np.random.Generator) -> tuple[PlannedImage, ...]:
    images = [PlannedImage(k, side, view) for k, (side, view) in enumerate(STANDARD_VIEWS)]
    odd_view, odd_side = str(rng.choice(_ODD_VIEWS)), str(rng.choice(["L", "R"]))
    if rng.uniform() < _ODD_VIEW:
        images.append(PlannedImage(len(images), odd_side, odd_view))
    if rng.uniform() < _SPOT_VIEW:
        images.append(PlannedImage(len(images), odd_side, "CC", spot=True))
    return tuple(images)
