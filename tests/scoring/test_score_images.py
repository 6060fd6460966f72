"""One row an image: scored, or rejected with its reason and no score."""

import numpy as np
import pyarrow as pa

from mammo_ray.prepared import TRANSIT
from mammo_ray.schema import RejectionReason, Stage
from mammo_ray.scoring.score_images import score_prepared


class _Mean:
    """Scores an image by its mean; remembers how many it saw."""

    digest = "model-1"

    def __init__(self) -> None:
        self.seen = 0

    def predict(self, pixels: np.ndarray) -> np.ndarray:
        self.seen += len(pixels)
        means = pixels.mean(axis=(1, 2)) / 255
        return np.where(means > 0.9, np.nan, means)


def _row(image_id: str, value: int, **columns: object) -> dict[str, object]:
    pixels = np.full((4, 3), value, np.uint8).tobytes()
    prepared = {"status": "prepared", "height": 4, "width": 3, "dtype": "uint8", "blank": False}
    return {"image_id": image_id, "pixels": pixels, **prepared, **columns}


def test_every_kind_of_row_gets_its_status_score_and_reason() -> None:
    rejected = {
        "image_id": "c",
        "status": "rejected",
        "stage": "prepare",
        "reason": "decode-failed",
        "detail": "bad",
    }
    rows = [_row("a", 51), _row("b", 0, blank=True), rejected, _row("d", 255), _row("e", 102)]
    model = _Mean()
    scored = score_prepared(pa.Table.from_pylist(rows, TRANSIT), model)
    assert model.seen == 3
    assert scored.column("score").to_pylist() == [0.2, None, None, None, 0.4]
    assert [(r["status"], r["stage"], r["reason"]) for r in scored.to_pylist()] == [
        ("scored", None, None),
        ("rejected", Stage.SCORE, RejectionReason.BLANK_IMAGE),
        ("rejected", Stage.PREPARE, RejectionReason.DECODE_FAILED),
        ("rejected", Stage.SCORE, RejectionReason.NON_FINITE_SCORE),
        ("scored", None, None),
    ]
    assert scored.column("model_digest").to_pylist() == ["model-1"] * 5
    assert "pixels" not in scored.column_names


def test_a_shard_without_a_usable_image_asks_nothing_of_the_model() -> None:
    model = _Mean()
    table = pa.Table.from_pylist([_row("a", 0, blank=True)], TRANSIT)
    assert score_prepared(table, model).column("score").to_pylist() == [None]
    assert model.seen == 0
