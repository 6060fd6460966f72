"""What every phantom asks of its request, and where its truth lies."""

from pathlib import Path

import pytest

from mammo_ray.datasets.phantoms.folder import PhantomRequest, truth_path
from mammo_ray.errors import InputError


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ({"rows": 0}, "at least 1 row, not 0"),
        ({"rows": 1, "seed": -1}, "seed is at least 0, not -1"),
        ({"rows": 1, "cancer_share": 1.5}, "0 to 1, not 1.5"),
    ],
)
def test_a_request_that_cannot_be_met_is_refused(numbers: dict[str, float], said: str) -> None:
    with pytest.raises(InputError, match=said):
        PhantomRequest(**numbers)


def test_the_truth_lies_beside_the_folder_not_in_it() -> None:
    assert truth_path(Path("a/set.v1")) == Path("a/set.v1.truth.csv")
