"""Frames of multi-frame files, uncompressed and from fragments with every kind of offset table."""

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from mammo_ray.config import DecodeConfig
from mammo_ray.dicom.decode import decode_image
from mammo_ray.dicom.grayscale_facts import Window
from mammo_ray.errors import ImageRejected
from tests.dicom.conformance import fragments_of, several_frames
from tests.dicom.files import (
    BIG_ENDIAN,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    JPEG,
    RLE,
    Array,
    dicom_file,
    encode,
    file_of,
    gradient,
    header_of,
)

CONFIG = DecodeConfig()
COUNT = 3
COMPRESSED = (RLE, JPEG + "70", JPEG + "80", JPEG + "90", JPEG + "201")


def stack(bits: int = 16) -> list[Array]:
    return [np.roll(gradient(bits), 20 * k, axis=0) for k in range(COUNT)]


def header(bits: int = 16) -> Dataset:
    dataset = header_of(stack(bits)[0], bits)
    dataset.NumberOfFrames = COUNT
    return dataset


def encoded(syntax: str, bits: int = 16) -> list[bytes]:
    return [encode(pixels, syntax, bits) for pixels in stack(bits)]


def native(syntax: str, pixels: list[Array], **elements: object) -> bytes:
    """A multi-frame file: the frames lie one under another."""
    rows = pixels[0].shape[0]
    tall = np.concatenate(pixels)
    return dicom_file(tall, syntax, Rows=rows, NumberOfFrames=len(pixels), **elements)


def fragmented(frames: list[bytes], parts: int, syntax: str, *, basic_table: bool) -> bytes:
    dataset = header()
    dataset.PixelData = fragments_of(frames, parts, basic_table=basic_table)
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    return file_of(dataset, syntax)


def check_every_frame(content: bytes, bits: int = 16) -> None:
    for number, pixels in enumerate(stack(bits)):
        decoded = decode_image(content, CONFIG, frame=number)
        np.testing.assert_array_equal(decoded.stored, pixels)
        assert decoded.notes == ()


def reason_and_detail(content: bytes, frame: int | None = 0) -> tuple[str, str]:
    with pytest.raises(ImageRejected) as caught:
        decode_image(content, CONFIG, frame=frame)
    return caught.value.reason, caught.value.detail


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT, DEFLATED, BIG_ENDIAN])
def test_every_uncompressed_frame_is_found(syntax: str, bits: int) -> None:
    check_every_frame(native(syntax, stack(bits)), bits)


def test_frames_of_an_odd_number_of_bytes_follow_each_other_without_padding() -> None:
    pixels = [gradient(8, (5, 7)) + np.uint8(k) for k in range(COUNT)]
    for syntax in (EXPLICIT, IMPLICIT, BIG_ENDIAN):
        content = native(syntax, pixels)
        for number, expected in enumerate(pixels):
            found = decode_image(content, CONFIG, frame=number).stored
            np.testing.assert_array_equal(found, expected)


def test_uncompressed_frames_are_all_there_or_none_is_given() -> None:
    reason, detail = reason_and_detail(native(EXPLICIT, stack())[:-1])
    assert reason == "pixel-data-truncated"
    dataset = header()
    dataset.PixelData = np.concatenate(stack()[:2]).tobytes()
    dataset["PixelData"].VR = "OW"
    reason, detail = reason_and_detail(file_of(dataset))
    assert reason == "pixel-data-truncated"
    assert "expected 46080 for 3 frames of 96 x 80" in detail


@pytest.mark.parametrize("table", ["basic", "extended", "none"])
@pytest.mark.parametrize("syntax", COMPRESSED)
def test_every_compressed_frame_is_found(syntax: str, table: str) -> None:
    check_every_frame(several_frames(encoded(syntax), table, header(), syntax))


@pytest.mark.parametrize("basic_table", [True, False])
@pytest.mark.parametrize("syntax", [JPEG + "70", JPEG + "80", JPEG + "90", JPEG + "201"])
def test_frames_of_several_fragments_are_told_apart(syntax: str, basic_table: bool) -> None:
    check_every_frame(fragmented(encoded(syntax), 3, syntax, basic_table=basic_table))


def test_a_file_of_one_frame_gives_it_under_its_number_and_without() -> None:
    for syntax in (EXPLICIT, JPEG + "70"):
        content = dicom_file(gradient(16), syntax, NumberOfFrames=1)
        for number in (None, 0):
            decoded = decode_image(content, CONFIG, frame=number)
            np.testing.assert_array_equal(decoded.stored, gradient(16))


@pytest.mark.parametrize("frame", [None, -1, COUNT])
@pytest.mark.parametrize("syntax", [EXPLICIT, JPEG + "70"])
def test_no_frame_stands_for_a_stack_and_there_is_none_beyond_it(
    syntax: str, frame: int | None
) -> None:
    if syntax == EXPLICIT:
        content = native(EXPLICIT, stack())
    else:
        content = several_frames(encoded(syntax), "basic", header(), syntax)
    reason, detail = reason_and_detail(content, frame)
    assert reason == "unsupported-pixel-format"
    assert detail.startswith("NumberOfFrames (0028,0008) is 3")


def test_a_table_of_another_number_of_frames_is_rejected() -> None:
    for table in ("basic", "extended"):
        two = header()
        content = several_frames(encoded(JPEG + "70")[:2], table, two, JPEG + "70")
        reason, detail = reason_and_detail(content)
        assert reason == "unsupported-pixel-format"
        assert detail == f"the {table} offset table has 2 frames, expected 3"


@pytest.mark.parametrize("offset", [2, 10**6])
def test_a_table_that_leads_beside_the_fragments_is_rejected(offset: int) -> None:
    frames = encoded(JPEG + "70")
    content = several_frames(frames, "basic", header(), JPEG + "70")
    right = (len(frames[0]) + len(frames[0]) % 2 + 8).to_bytes(4, "little")
    at = content.index(right, content.index(b"\xe0\x7f\x10\x00"))
    wrong = content[:at] + offset.to_bytes(4, "little") + content[at + 4 :]
    assert reason_and_detail(wrong)[0] == "header-invalid"


def test_fragments_that_make_another_number_of_frames_are_rejected() -> None:
    content = fragmented(encoded(JPEG + "70")[:2], 2, JPEG + "70", basic_table=False)
    reason, detail = reason_and_detail(content)
    assert reason == "unsupported-pixel-format"
    assert detail == "4 fragments without an offset table make 2 frames, expected 3"


def group(**elements: object) -> Dataset:
    item = Dataset()
    for keyword, value in elements.items():
        setattr(item, keyword, value)
    return item


def test_a_frame_has_the_gray_levels_of_its_functional_groups() -> None:
    rescale = group(RescaleSlope=2, RescaleIntercept=-7, RescaleType="US")
    shared = group(PixelValueTransformationSequence=Sequence([rescale]))
    windows = [
        group(FrameVOILUTSequence=Sequence([group(WindowCenter=100 * k + 50, WindowWidth=80)]))
        for k in range(COUNT)
    ]
    content = native(
        EXPLICIT, stack(), SharedFunctionalGroupsSequence=Sequence([shared]),
        PerFrameFunctionalGroupsSequence=Sequence(windows),
    )  # fmt: skip
    for number in range(COUNT):
        facts = decode_image(content, CONFIG, frame=number).grayscale
        assert (facts.slope, facts.intercept) == (2, -7)
        assert facts.windows == (Window(100 * number + 50, 80),)
