"""The real CBIS-DDSM case tables as one frame."""

from pathlib import Path

import pandas as pd
import pytest


@pytest.fixture(scope="session")
def cbis(real_data: Path) -> pd.DataFrame:
    """One row an abnormality of the four published tables; a film is patient, side and view."""
    tables = [
        pd.read_csv(real_data / "cbis_ddsm" / f"{kind}_case_description_{side}_set.csv").assign(
            split=side
        )
        for kind in ("calc", "mass")
        for side in ("train", "test")
    ]
    table = pd.concat(tables, ignore_index=True)
    film = table["patient_id"] + table["left or right breast"] + table["image view"]
    return pd.DataFrame(
        {
            "image_id": [f"row-{number:04d}" for number in range(len(table))],
            "patient_id": table["patient_id"],
            "film_id": film,
            "cancer": (table["pathology"] == "MALIGNANT").astype(int),
            "split": table["split"],
        }
    )
