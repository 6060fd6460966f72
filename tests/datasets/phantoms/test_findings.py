"""Several findings in one breast: each has its circle, and the tissue around stays the same."""

import numpy as np

from mammo_ray.datasets.phantoms.findings import draw_findings, second_lesion
from mammo_ray.datasets.phantoms.images import Breast, Lesion

BREAST = Breast(depth=0.7, half_height=0.36, density=1, brightness=1.0, muscle=0.45)
FIRST = Lesion("CIRC", "B", depth=0.5, height=-0.5, radius=0.08)
SHAPE = (400, 336)


def test_a_second_finding_is_drawn_apart_from_the_first_and_changes_nothing_else() -> None:
    second = second_lesion(FIRST, "M")
    one, (first,) = draw_findings(BREAST, [FIRST], "MLO", SHAPE, (1, 2))
    two, found = draw_findings(BREAST, [FIRST, second], "MLO", SHAPE, (1, 2))
    assert found == [first, (second, found[1][1])]
    circle = found[1][1]
    rows, columns = np.indices(SHAPE)
    distance = np.hypot(rows - circle.row, columns - circle.column)
    assert np.array_equal(one.display[distance > 3 * circle.radius],
                          two.display[distance > 3 * circle.radius])  # fmt: skip
    inside = distance < 0.5 * circle.radius
    assert two.display[inside].mean() > one.display[inside].mean() + 0.05


def test_a_finding_on_top_of_another_is_left_out() -> None:
    _, found = draw_findings(BREAST, [FIRST, FIRST], "MLO", SHAPE, (1, 2))
    assert [lesion for lesion, _ in found] == [FIRST]


def test_a_healthy_breast_has_no_finding() -> None:
    drawing, found = draw_findings(BREAST, [], "CC", SHAPE, (1, 2))
    assert found == []
    assert drawing.circle is None
