"""Phantom archives: what lies on disk, and that a seed decides all of it."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pydicom
import pytest

from mammo_ray.datasets.phantoms.archive import PhantomSummary, draw_image, write_phantom_archive
from mammo_ray.datasets.phantoms.vendors import VENDORS
from mammo_ray.datasets.phantoms.women import plan_woman
from mammo_ray.errors import InputError, StorageError
from tests.datasets.phantoms.display import displayed

SEED = 3
WOMEN = 12


@dataclass(frozen=True)
class Archive:
    """A phantom archive with its tables and headers."""

    root: Path
    summary: PhantomSummary
    outcomes: pd.DataFrame
    lesions: pd.DataFrame
    paths: dict[str, Path]
    headers: dict[str, pydicom.Dataset]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    root = tmp_path_factory.mktemp("phantom") / "archive"
    summary = write_phantom_archive(root, WOMEN, SEED)
    headers, paths = {}, {}
    for path in sorted(root.rglob("*.dcm")):
        dataset = pydicom.dcmread(path, stop_before_pixels=True)
        headers[dataset.SOPInstanceUID], paths[dataset.SOPInstanceUID] = dataset, path
    outcomes = pd.read_csv(root / "outcomes.csv")
    lesions = pd.read_csv(root / "lesions.csv")
    return Archive(root, summary, outcomes, lesions, paths, headers)


def digests(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def test_the_same_seed_gives_the_same_bytes_whatever_the_processes(
    archive: Archive, tmp_path: Path
) -> None:
    write_phantom_archive(tmp_path / "again", WOMEN, SEED, processes=1)
    assert digests(tmp_path / "again") == digests(archive.root)


def test_a_woman_is_the_same_in_an_archive_of_any_size(archive: Archive, tmp_path: Path) -> None:
    write_phantom_archive(tmp_path / "one", 1, SEED)
    one = {k: v for k, v in digests(tmp_path / "one").items() if k.endswith(".dcm")}
    assert len(one) >= 4
    assert one.items() <= digests(archive.root).items()


def test_another_seed_gives_other_images_and_identifiers(archive: Archive, tmp_path: Path) -> None:
    write_phantom_archive(tmp_path / "other", 1, SEED + 1)
    assert not set(digests(tmp_path / "other").values()) & set(digests(archive.root).values())
    other = pd.read_csv(tmp_path / "other" / "outcomes.csv")
    assert not set(other["sop_instance_uid"]) & set(archive.headers)


def test_tables_have_the_columns_of_the_screening_archive(archive: Archive) -> None:
    assert list(archive.outcomes.columns) == [
        "patient_id", "laterality", "view_position", "sop_instance_uid", "film", "cancer", "tissue",
        "abnormality",
    ]  # fmt: skip
    assert list(archive.lesions.columns) == [
        "sop_instance_uid", "film", "abnormality", "severity", "center_column", "center_row",
        "radius_px",
    ]  # fmt: skip


def test_tables_have_the_columns_of_the_real_archive(archive: Archive, real_archive: Path) -> None:
    for name, ours in (("outcomes.csv", archive.outcomes), ("lesions.csv", archive.lesions)):
        real = pd.read_csv(real_archive / name)
        assert list(ours.columns) == list(real.columns)
        shared = {"tissue", "abnormality", "severity"} & set(real.columns)
        assert all(set(ours[column]) <= set(real[column]) for column in shared)


def test_every_file_has_one_row_and_lies_under_its_patient_and_study(archive: Archive) -> None:
    assert sorted(archive.outcomes["sop_instance_uid"]) == sorted(archive.headers)
    for uid, header in archive.headers.items():
        folders = archive.paths[uid].relative_to(archive.root).parts
        assert folders[0] == header.PatientID
        assert header.StudyInstanceUID.endswith(folders[1])
        assert folders[2] == f"{uid[-12:]}.dcm"


def test_every_woman_has_the_four_standard_views(archive: Archive) -> None:
    standard = archive.outcomes.drop_duplicates(["patient_id", "laterality", "view_position"])
    for _, rows in standard.groupby("patient_id"):
        views = set(zip(rows["laterality"], rows["view_position"], strict=True))
        assert views >= {("L", "CC"), ("L", "MLO"), ("R", "CC"), ("R", "MLO")}


def test_cancer_marks_all_views_of_one_breast(archive: Archive) -> None:
    by_breast = archive.outcomes.groupby(["patient_id", "laterality"])["cancer"]
    assert (by_breast.nunique() == 1).all()
    breasts = by_breast.max().groupby("patient_id").sum()
    assert set(breasts) == {0, 1}
    assert archive.summary.women_with_cancer == breasts.sum()


def test_lesions_are_those_of_abnormal_images(archive: Archive) -> None:
    merged = archive.outcomes.merge(archive.lesions, on="sop_instance_uid", suffixes=("", "_l"))
    assert len(merged) == len(archive.lesions) == archive.summary.lesions
    assert (merged["abnormality"] == merged["abnormality_l"]).all()
    assert (merged["cancer"] == (merged["severity"] == "M")).all()
    assert (archive.outcomes["abnormality"] != "NORM").sum() == len(merged)
    assert (archive.lesions["severity"] == "B").any()


def test_the_summary_counts_what_lies_on_disk(archive: Archive) -> None:
    summary = archive.summary
    assert summary.women == archive.outcomes["patient_id"].nunique() == WOMEN
    assert summary.images == len(archive.headers)
    assert summary.positive_images == archive.outcomes["cancer"].sum()
    assert summary.bytes == sum(path.stat().st_size for path in archive.paths.values())
    syntaxes = pd.Series([str(h.file_meta.TransferSyntaxUID) for h in archive.headers.values()])
    assert summary.transfer_syntaxes == syntaxes.value_counts().to_dict()


def test_every_transfer_syntax_and_display_habit_occurs(archive: Archive) -> None:
    headers = archive.headers.values()
    assert set(archive.summary.transfer_syntaxes) == {
        "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.5",
        "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90",
        "1.2.840.10008.1.2.4.91", "1.2.840.10008.1.2.4.201",
    }  # fmt: skip
    assert {h.PhotometricInterpretation for h in headers} == {"MONOCHROME1", "MONOCHROME2"}
    assert {h.BitsStored for h in headers} >= {8, 10, 12, 14, 16}
    assert {h.get("VOILUTFunction") for h in headers} == {None, "SIGMOID", "LINEAR_EXACT"}
    assert any(h.PixelRepresentation == 1 for h in headers)
    assert any(h.RescaleSlope != 1 for h in headers)
    assert any("PixelPaddingValue" in h for h in headers)
    assert any(len(h.get("VOILUTSequence", [])) == 3 for h in headers)
    assert any("Modality" not in h and "ViewPosition" not in h for h in headers)
    assert any("ImageLaterality" not in h and h.Laterality in {"L", "R"} for h in headers)


def test_no_header_carries_a_clock_a_host_or_a_real_looking_name(archive: Archive) -> None:
    for header in archive.headers.values():
        assert str(header.PatientName).startswith("Phantom^")
        assert header.PatientID.startswith("PHANTOM")
        assert header.Manufacturer.startswith("Vendor ")
        assert header.PatientBirthDate == ""
        assert header.file_meta.ImplementationVersionName == "MAMMO_RAY"
        assert "SourceApplicationEntityTitle" not in header.file_meta
        assert "2018" <= header.StudyDate[:4] <= "2020"


@pytest.mark.parametrize("vendor", [vendor.name for vendor in VENDORS])
def test_a_viewer_shows_the_picture_that_was_drawn(archive: Archive, vendor: str) -> None:
    outcomes = archive.outcomes.set_index("sop_instance_uid")
    uids = [uid for uid, header in archive.headers.items() if header.Manufacturer == vendor]
    for uid in uids[:2]:
        number = int(outcomes.loc[uid, "patient_id"].removeprefix("PHANTOM")) - 1
        woman = plan_woman(SEED, number, cancer_share=0.25)
        image = woman.images[archive.headers[uid].InstanceNumber - 1]
        drawing = draw_image(SEED, woman, image)
        shown = displayed(archive.paths[uid])
        breast = drawing.breast
        assert np.abs(shown - drawing.display)[breast].max() < 0.03
        assert shown[breast].mean() > shown[~breast].mean() + 0.15
        assert np.median(shown[~breast]) < 0.08


def test_lesions_lie_in_the_breast_and_are_brighter_than_their_surroundings(
    archive: Archive,
) -> None:
    outcomes = archive.outcomes.set_index("sop_instance_uid")
    inner, outer = [], []
    for lesion in archive.lesions.itertuples():
        row = outcomes.loc[lesion.sop_instance_uid]
        woman = plan_woman(SEED, int(row.patient_id.removeprefix("PHANTOM")) - 1, 0.25)
        image = woman.images[archive.headers[lesion.sop_instance_uid].InstanceNumber - 1]
        breast = draw_image(SEED, woman, image).breast
        shown = displayed(archive.paths[lesion.sop_instance_uid])
        y, x = np.indices(shown.shape)
        away = np.hypot(x - lesion.center_column, y - lesion.center_row) / lesion.radius_px
        assert breast[away <= 1].mean() > 0.999
        if lesion.severity == "M":
            inner.append(shown[away <= 0.8].mean())
            outer.append(shown[(away > 1.3) & (away < 1.8) & breast].mean())
    assert len(inner) >= 4
    assert np.mean(inner) > np.mean(outer) + 0.1
    assert np.mean(np.array(inner) > np.array(outer)) >= 0.9


def test_the_share_of_cancers_is_exact_over_blocks_and_tells_no_vendor() -> None:
    women = [plan_woman(SEED, number, 0.25) for number in range(720)]
    table = pd.DataFrame(
        {"vendor": [w.vendor.name for w in women], "cancer": [bool(w.cancer_side) for w in women]}
    )
    assert table["cancer"].sum() == 180
    assert (table["vendor"].value_counts() == 80).all()
    assert table.groupby("vendor")["cancer"].mean().between(0.13, 0.37).all()


def test_density_brightness_size_and_extra_views_do_not_tell_cancer() -> None:
    women = [plan_woman(SEED, number, 0.5) for number in range(1000)]
    sick = np.array([w.cancer_side is not None for w in women])
    facts = {
        "density": [w.breasts["L"].density for w in women],
        "brightness": [w.breasts["L"].brightness for w in women],
        "depth": [w.breasts["L"].depth for w in women],
        "age": [w.age for w in women],
        "images": [len(w.images) for w in women],
        "implant": [w.breasts["L"].implant for w in women],
    }
    for name, values in facts.items():
        column = np.array(values, float)
        error = column.std() * 2 / np.sqrt(len(women))
        assert abs(column[sick].mean() - column[~sick].mean()) < 3.5 * error, name


def test_the_mean_of_an_image_hardly_tells_cancer() -> None:
    changes = []
    for number in range(8):
        with_cancer, without = plan_woman(1, number, 1.0), plan_woman(1, number, 0.0)
        image = next(i for i in with_cancer.images if i.laterality == with_cancer.cancer_side)
        means = [draw_image(1, woman, image).display.mean() for woman in (with_cancer, without)]
        changes.append(means[0] - means[1])
    spread = np.std(
        [
            draw_image(1, w, w.images[0]).display.mean()
            for w in (plan_woman(1, n, 0) for n in range(8))
        ]
    )
    assert np.mean(changes) < 0.35 * spread


def test_odd_views_spot_views_and_implants_occur_at_a_low_rate() -> None:
    women = [plan_woman(0, number, 0.25) for number in range(1000)]
    images = [image for woman in women for image in woman.images]
    odd = [image.view for image in images if image.view not in {"CC", "MLO"}]
    assert set(odd) == {"ML", "LM", "XCCL", "AT"}
    assert 0.02 < len(odd) / len(women) < 0.08
    assert 0.02 < sum(image.spot for image in images) / len(women) < 0.07
    assert 0.01 < sum(woman.breasts["L"].implant for woman in women) / len(women) < 0.06


def test_a_folder_that_holds_something_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "kept.txt").write_text("kept")
    with pytest.raises(InputError, match="not an empty folder"):
        write_phantom_archive(tmp_path, 1, 0)
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]
    with pytest.raises(InputError, match="not an empty folder"):
        write_phantom_archive(tmp_path / "kept.txt", 1, 0)


@pytest.mark.parametrize(
    ("women", "seed", "share", "message"),
    [(0, 0, 0.25, "at least 1 woman"), (1, -1, 0.25, "seed"), (1, 0, 1.5, "share of cancers")],
)
def test_numbers_out_of_range_are_refused(
    tmp_path: Path, women: int, seed: int, share: float, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        write_phantom_archive(tmp_path / "out", women, seed, share)
    assert not (tmp_path / "out").exists()


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    summary = write_phantom_archive(tmp_path / "out", 1, 0)
    assert summary.images == len(list((tmp_path / "out").rglob("*.dcm")))


def test_a_fault_on_the_way_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(_path: Path, _text: str, encoding: str) -> int:
        raise OSError(28, f"No space left on device ({encoding})")

    monkeypatch.setattr(Path, "write_text", full_disk)
    with pytest.raises(StorageError, match="No space left"):
        write_phantom_archive(tmp_path / "out", 1, 0)
    assert list(tmp_path.iterdir()) == []
