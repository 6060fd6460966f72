"""Which kinds of image are trained on together: never several by accident."""

import pandas as pd

from mammo_ray.errors import InputError

UNKNOWN = "unknown"


def kind_counts(frame: pd.DataFrame) -> dict[str, int]:
    """Images of each kind, the most frequent first; `unknown` where the header did not say.

    Args:
        frame: with the column `image_kind`.
    """
    counts = frame["image_kind"].fillna(UNKNOWN).value_counts()
    return {str(kind): int(number) for kind, number in counts.items()}


def keep_kinds(frame: pd.DataFrame, allowed: tuple[str, ...] | None) -> pd.DataFrame:
    """The images of the allowed kinds.

    Args:
        frame: images that can be trained on, with the column `image_kind`.
        allowed: `data.image_kinds`: these kinds are pooled and others left out; None: all images
            must be of one kind.

    Raises:
        InputError: several kinds and none is named, or no image of the named kinds; with the
            number of images of each kind.
    """
    counts = kind_counts(frame)
    said = ", ".join(f"{kind} {number}" for kind, number in counts.items())
    if allowed is None:
        if len(counts) > 1:
            raise InputError(
                f"the images are of several kinds ({said}); name those to be pooled in "
                f"data.image_kinds, such as [{', '.join(counts)}]; others are left out"
            )
        return frame
    kept = frame[frame["image_kind"].fillna(UNKNOWN).isin([str(kind) for kind in allowed])]
    if kept.empty:
        raise InputError(f"no image is of a kind of data.image_kinds; there are: {said}")
    return kept.reset_index(drop=True)
