"""Who is trained on, chosen on and held out: from a file, the manifest's column, or by patient."""

import logging

import pandas as pd

from mammo_ray.config import Config
from mammo_ray.errors import InputError
from mammo_ray.splits import (
    LEAKAGE,
    LEAKAGE_ALLOWED,
    LEAKAGE_WARNING,
    TRAIN,
    VALID,
    assign_split,
    carve_validation,
    read_split,
    require_no_leak,
    split_is_leaky,
)

_log = logging.getLogger(__name__)


def divide_women(frame: pd.DataFrame, config: Config, split: str | None) -> dict[str, str]:
    """Give every image its side, in place.

    Args:
        frame: labelled images; gets a column `split`, and one that marks a split which shares.
        config: the data section makes or completes a split.
        split: a `split.csv`; None: the column of the frame, else made by patient.

    Returns:
        What the run record must say of the sides.

    Raises:
        InputError: a split that is none of these images, or too few women.
        PatientLeak: an unmarked split that shares women.
    """
    data, said = config.data, {}
    leaky = _set_sides(frame, config, split)
    if VALID not in set(frame["split"].dropna().unique()):
        frame["split"] = carve_validation(
            frame, frame["split"], data.validation_fraction, data.split_seed
        )
        said["validation"] = "carved by patient from the training women: the split has none"
        _log.warning("the split has no validation side: it is %s", said["validation"])
    if leaky:
        frame[LEAKAGE] = LEAKAGE_ALLOWED
        said |= {LEAKAGE: LEAKAGE_ALLOWED, "leakage_warning": LEAKAGE_WARNING}
        _log.warning("the model is %s", LEAKAGE_WARNING)
    else:
        require_no_leak(frame, "split")
    return said


def _set_sides(frame: pd.DataFrame, config: Config, split: str | None) -> bool:
    """Sides from a file, else the manifest's column, else by patient; whether they are leaky."""
    if split is None:
        data = config.data
        frame["split"] = assign_split(
            frame, data.validation_fraction, data.test_fraction, data.split_seed
        )
        return False
    table = read_split(split)
    given = table.set_index("image_id")["split"]
    missing = int((~frame["image_id"].isin(given.index)).sum())
    if missing:
        raise InputError(f"{split} says nothing of {missing} of {len(frame)} images")
    frame["split"] = frame["image_id"].map(given)
    return split_is_leaky(table)


def require_both_classes(frame: pd.DataFrame) -> None:
    """Refuse sides of one class, on which nothing is learnt or chosen, before anything is started.

    Args:
        frame: labelled images with `split` and `cancer`.

    Raises:
        InputError: with the numbers of images.
    """
    for side in (TRAIN, VALID):
        labels = frame.loc[frame["split"] == side, "cancer"]
        if labels.nunique() < 2:
            raise InputError(
                f"side {side} has {len(labels)} images, {int(labels.sum())} of them with cancer: "
                "both classes are needed"
            )
