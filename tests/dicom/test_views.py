"""View and modifiers: codes first, then the labels that stand in View Position."""

import pytest
from pydicom.sequence import Sequence

from tests.dicom.test_header import code, facts_of, mammogram


@pytest.mark.parametrize(
    ("label", "view", "modifiers"),
    [
        ("MLOID", "MLO", ["implant-displaced"]),
        ("CCID", "CC", ["implant-displaced"]),
        ("MCC", "CC", ["magnification"]),
        ("SML", "ML", ["spot-compression"]),
        ("MSLMO", "LMO", ["magnification", "spot-compression"]),
        ("CCRL", "CC", ["rolled-lateral"]),
        ("XCCLAX", "XCCL", ["axillary-tissue"]),
        ("MLOIDNP", "MLO", ["implant-displaced", "nipple-in-profile"]),
        ("SIO", "SIO", []),
        ("ML", "ML", []),
        ("MLM", "LM", ["magnification"]),
        ("CCSpot", None, ["spot-compression"]),
        ("MAG CC", None, ["magnification"]),
        ("LCC", None, []),
        ("", None, []),
    ],
)
@pytest.mark.filterwarnings("ignore:Invalid value for VR CS:UserWarning:pydicom")
def test_labels_of_cid_4015_give_view_and_modifiers(
    label: str, view: str | None, modifiers: list[str]
) -> None:
    row = facts_of(mammogram(ViewPosition=label)).row
    assert (row["view_position"], row["view_modifiers"]) == (view, modifiers)


def test_every_view_is_its_own_label() -> None:
    from mammo_ray.schema import ViewPosition

    for view in ViewPosition:
        row = facts_of(mammogram(ViewPosition=str(view))).row
        assert (row["view_position"], row["view_modifiers"]) == (view, [])


def test_the_code_gives_the_view_and_both_give_modifiers_each_once() -> None:
    view = code("399162004", ViewModifierCodeSequence=Sequence([code("399163009")]))
    content = mammogram(ViewCodeSequence=Sequence([view]), ViewPosition="MMLOID")
    row = facts_of(content).row
    assert row["view_position"] == "CC"
    assert row["view_modifiers"] == ["magnification", "implant-displaced"]


def test_a_specimen_is_no_view() -> None:
    facts = facts_of(mammogram(ViewCodeSequence=Sequence([code("G-8310", "SRT")])))
    assert facts.row["view_position"] is None
    assert facts.signs.specimen == "view code tissue specimen from breast"
