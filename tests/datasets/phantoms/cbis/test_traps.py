"""Which rows of a CBIS-DDSM phantom have which traps."""

import numpy as np
import pytest

from mammo_ray.datasets.phantoms.cbis.cases import CaseRow
from mammo_ray.datasets.phantoms.cbis.invented import invent_case_tables
from mammo_ray.datasets.phantoms.cbis.traps import (
    RowTraps,
    Swap,
    is_undescribed_film,
    plan_traps,
    scaled_mask,
)
from mammo_ray.errors import InputError

ROWS = [row for table in invent_case_tables(100, 0, 0.3) for row in table.rows]


def test_as_many_rows_as_asked_are_swapped_in_every_way_in_turn() -> None:
    swaps = [trap.swap for trap in planned(ROWS, 30).values()]
    assert [swaps.count(swap) for swap in (*Swap, None)] == [10, 10, 10, 70]


def test_a_description_that_is_wrong_or_contradicted_is_never_empty() -> None:
    traps = planned(ROWS, 90).values()
    empty = [trap for trap in traps if trap.undescribed_crop or trap.undescribed_mask]
    assert len(empty) == 6
    assert {trap.swap for trap in empty} <= {None, Swap.NAMES}


def test_ten_rows_hold_every_trap_that_nobody_asked_for() -> None:
    traps = planned(ROWS[:10], 0).values()
    assert sum(trap.undescribed_mask for trap in traps) == 1
    assert [trap.mask_word for trap in traps if trap.mask_word] == ["mask-size"]


def test_other_seeds_choose_other_rows() -> None:
    chosen = [
        {label for label, trap in plan_traps(ROWS, 30, tuple(Swap), seed).items() if trap.swap}
        for seed in (0, 0, 1)
    ]
    assert chosen[0] == chosen[1] != chosen[2]


@pytest.mark.parametrize("swapped", [-1, 101])
def test_more_swapped_rows_than_rows_are_refused(swapped: int) -> None:
    with pytest.raises(InputError, match=f"0 to 100 rows can be swapped, not {swapped}"):
        planned(ROWS, swapped)


def test_about_one_film_in_seventeen_has_no_description() -> None:
    share = np.mean([is_undescribed_film(f"film {k}", 0) for k in range(2000)])
    assert 0.04 < share < 0.08


def test_a_scaled_mask_covers_the_same_share_of_the_film() -> None:
    mask = np.zeros((200, 100), np.bool_)
    mask[40:80, 50:70] = True
    scaled = scaled_mask(mask, (0.75, 0.75))
    assert scaled.shape == (150, 75)
    assert scaled.mean() == pytest.approx(mask.mean(), rel=0.1)
    assert scaled[45, 45]
    np.testing.assert_array_equal(scaled_mask(mask, (1.0, 1.0)), mask)


def planned(rows: list[CaseRow], swapped: int) -> dict[str, RowTraps]:
    """The traps of rows with the seed 0."""
    return plan_traps(rows, swapped, tuple(Swap), 0)
