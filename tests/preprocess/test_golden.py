"""The pixels of fixed films are pinned: who changes them raises `PREPROCESS_VERSION`."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from mammo_ray.config import PREPROCESS_VERSION, load_config
from mammo_ray.datasets.phantoms.archive import draw_image, write_phantom_archive
from mammo_ray.datasets.phantoms.headers import image_header
from mammo_ray.datasets.phantoms.vendors import VENDORS, Vendor, store_pixels
from mammo_ray.datasets.phantoms.women import PlannedImage, plan_woman
from mammo_ray.dicom.encode import encode_file
from mammo_ray.preprocess.pipeline import prepare_image

# Version of the pipeline and one override -> digest of the prepared pixels of all films.
GOLDEN = {
    (2, "preprocess.bits=16"): "dc9b297375a4235e",
    (2, "preprocess.resize=stretch"): "1ba3ea2b0efdf6a4",
    (2, "preprocess.clahe.enabled=true"): "a7b50e03c8d9d542",
}


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The films of three phantom women, of three vendors."""
    archive = tmp_path_factory.mktemp("golden") / "archive"
    write_phantom_archive(archive, women=3, seed=11)
    return sorted(archive.rglob("*.dcm"))


@pytest.mark.parametrize("override", [override for _, override in GOLDEN])
def test_one_version_of_the_pipeline_gives_one_set_of_pixels(
    override: str, films: list[Path]
) -> None:
    size = ("preprocess.height=128", "preprocess.width=96")
    config = load_config(overrides=(*size, override))
    total = hashlib.sha256()
    for path in films:
        total.update(prepare_image(path.read_bytes(), None, config).pixels.tobytes())
    assert GOLDEN.get((PREPROCESS_VERSION, override)) == total.hexdigest()[:16]


# Vendor and transfer syntax -> digest of one prepared image, and how its gray levels came about.
VENDOR_IMAGES = {
    ("Vendor A", "1.2.840.10008.1.2.4.70"): (
        "1d0e931d36e973e3",
        "rescale 1/0; window 0 LINEAR 2048/3481.6",
    ),
    ("Vendor B", "1.2.840.10008.1.2.4.90"): (
        "506f1121a337688e",
        "rescale 1/0; VOI LUT 1; padding 0 to 0 black",
    ),
    ("Vendor C", "1.2.840.10008.1.2.4.201"): (
        "25bf7082b241df58",
        "rescale 1/0; window 0 SIGMOID 32768/23593; inverted",
    ),
    ("Vendor D", "1.2.840.10008.1.2.5"): (
        "0150ad3d7f04435a",
        "rescale 1/0; window 0 LINEAR 128/256",
    ),
    ("Vendor E", "1.2.840.10008.1.2"): (
        "c6bad17895502be6",
        "rescale 1/0; window 0 LINEAR 512/870.4",
    ),
    ("Vendor F", "1.2.840.10008.1.2.4.80"): (
        "cb61e62677dba72d",
        "rescale 0.0625/-128; window 0 LINEAR 1920/3481.6",
    ),
    ("Vendor G", "1.2.840.10008.1.2.1"): (
        "32bc0933e5d519fa",
        "rescale 1/0; window 0 LINEAR_EXACT 0/6963.2",
    ),
    ("Vendor H", "1.2.840.10008.1.2.4.91"): (
        "163fe13064fe48ef",
        "rescale 1/0; window 0 LINEAR_EXACT 8192/13926.4",
    ),
    ("Vendor I", "1.2.840.10008.1.2.4.70"): (
        "59bee542ec2212f1",
        "rescale 1/0; window 0 LINEAR 2048/3481.6; inverted; padding 4095 to 4095 black",
    ),
    ("Vendor I", "1.2.840.10008.1.2.4.201"): (
        "59bee542ec2212f1",
        "rescale 1/0; window 0 LINEAR 2048/3481.6; inverted; padding 4095 to 4095 black",
    ),
}


def vendor_cases() -> list[tuple[Vendor, str]]:
    return [(vendor, syntax) for vendor in VENDORS for syntax in vendor.transfer_syntaxes]


@pytest.mark.parametrize(
    ("vendor", "syntax"), vendor_cases(), ids=[f"{v.name} {s}" for v, s in vendor_cases()]
)
def test_an_image_of_each_vendor_keeps_its_pixels(vendor: Vendor, syntax: str) -> None:
    woman = replace(plan_woman(7, 3, cancer_share=0.0), vendor=vendor)
    image = PlannedImage(0, "R", "MLO")
    drawing = draw_image(7, woman, image)
    stored = store_pixels(drawing.display, drawing.breast, vendor)
    content = encode_file(image_header(7, woman, image), stored, syntax)
    config = load_config(overrides=("preprocess.height=128", "preprocess.width=96"))
    prepared = prepare_image(content, None, config)
    digest = hashlib.sha256(prepared.pixels.tobytes()).hexdigest()[:16]
    assert (digest, prepared.grayscale) == VENDOR_IMAGES[vendor.name, syntax]


def test_every_vendor_is_pinned_at_this_version() -> None:
    assert set(VENDOR_IMAGES) == {(vendor.name, syntax) for vendor, syntax in vendor_cases()}
    assert {version for version, _ in GOLDEN} == {PREPROCESS_VERSION}
