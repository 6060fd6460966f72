"""Manifests of made-up women for the tests of splits."""

import pandas as pd


def archive(with_cancer: int = 20, without: int = 80, images: int = 4) -> pd.DataFrame:
    """A manifest in which every woman has `images` rows; cancer shows in the first two."""
    rows = [
        {
            "image_id": f"img-{woman:03d}-{image}",
            "patient_id": f"P{woman:03d}",
            "cancer": int(woman < with_cancer and image < 2),
        }
        for woman in range(with_cancer + without)
        for image in range(images)
    ]
    return pd.DataFrame(rows)
