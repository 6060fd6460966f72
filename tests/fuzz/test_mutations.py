"""The damage that campaigns do: where it is meant to be, and nowhere else."""

import io
import struct

import numpy as np
import pydicom
import pytest
from pydicom.filereader import read_dataset

from tests.dicom.files import EXPLICIT, JPEG
from tests.fuzz.campaign import SYNTAXES, good_file
from tests.fuzz.mutations import MUTATIONS, Original, read_original

every_syntax = pytest.mark.parametrize("syntax", SYNTAXES)


def damaged(kind: str, original: Original, seed: int) -> bytes:
    return MUTATIONS[kind](original, np.random.default_rng(seed))


def changed_places(before: bytes, after: bytes) -> np.ndarray:
    assert len(before) == len(after)
    return np.flatnonzero(np.frombuffer(before, np.uint8) != np.frombuffer(after, np.uint8))


@every_syntax
def test_the_parts_of_a_file_are_found(syntax: str) -> None:
    original = read_original(good_file(syntax))
    value = pydicom.dcmread(io.BytesIO(original.content)).PixelData
    assert original.content.startswith(value[:64], original.pixels)
    assert original.encapsulated is (syntax != EXPLICIT)
    texts = {original.content[start : start + length] for start, length in original.harmless}
    assert {b"Nobody^Known", b"20200102", b"ROOM-17", b"woman-1", b"2.25.1001", b"MG"} <= texts
    assert syntax.encode() not in texts
    assert b"MONOCHROME2" not in texts


@every_syntax
@pytest.mark.parametrize("kind", MUTATIONS)
def test_a_seed_gives_one_damage(kind: str, syntax: str) -> None:
    original = read_original(good_file(syntax))
    assert damaged(kind, original, 3) == damaged(kind, original, 3)
    several = {damaged(kind, original, seed) for seed in range(12)}
    assert len(several) == 1 if kind == "unchanged" else len(several) > 4


@every_syntax
def test_bits_flip_on_their_side_of_the_pixel_data(syntax: str) -> None:
    original = read_original(good_file(syntax))
    header, pixels = set(), set()
    for seed in range(200):
        header |= set(changed_places(original.content, damaged("header bits", original, seed)))
        pixels |= set(changed_places(original.content, damaged("pixel bits", original, seed)))
    assert min(header) in range(128, 140)  # `DICM` and the file meta
    assert original.pixels - 8 <= max(header) < original.pixels
    assert min(pixels) >= original.pixels
    assert len(pixels) > 200


@every_syntax
def test_truncation_reaches_the_last_bytes(syntax: str) -> None:
    original = read_original(good_file(syntax))
    cuts = [damaged("truncated", original, seed) for seed in range(200)]
    assert all(original.content.startswith(cut) for cut in cuts)
    lengths = {len(original.content) - len(cut) for cut in cuts}
    assert set(range(1, 17)) <= lengths
    assert max(lengths) > len(original.content) // 2


@every_syntax
def test_what_was_cut_and_closed_is_a_file_like_any_other(syntax: str) -> None:
    original = read_original(good_file(syntax))
    whole = pydicom.dcmread(io.BytesIO(original.content))
    for seed in range(20):
        content = damaged("cut and closed", original, seed)
        cut = pydicom.dcmread(io.BytesIO(content))
        assert len(cut.PixelData) < len(whole.PixelData)
        assert len(cut.PixelData) % 2 == 0
        if syntax == EXPLICIT:
            assert content.endswith(cut.PixelData)
            continue
        frame = next(pydicom.encaps.generate_frames(cut.PixelData, number_of_frames=1))
        ending = b"\xff\xd9" if syntax.startswith(JPEG) else b""
        assert frame.rstrip(b"\0").endswith(ending)


@every_syntax
def test_runs_are_zeroed_or_taken_out_of_the_pixel_data(syntax: str) -> None:
    original = read_original(good_file(syntax))
    for seed in range(20):
        zeroed = damaged("zeroed run", original, seed)
        places = changed_places(original.content, zeroed)
        assert {zeroed[place] for place in places} <= {0}
        assert not places.size or places[0] >= original.pixels
        shorter = damaged("deleted run", original, seed)
        assert 0 < len(original.content) - len(shorter) < 4096
        assert shorter[: original.pixels] == original.content[: original.pixels]


@every_syntax
def test_another_syntax_or_format_is_all_that_a_header_says_differently(syntax: str) -> None:
    original = read_original(good_file(syntax))
    keywords = {"Rows", "Columns", "BitsAllocated", "SamplesPerPixel", "NumberOfFrames"}
    seen = set()
    for seed in range(40):
        content = damaged("other syntax", original, seed)
        (length,) = struct.unpack_from("<L", content, 140)
        meta = read_dataset(io.BytesIO(content[132 : 144 + length]), False, True)
        assert content[144 + length :] == original.content[-len(content) + 144 + length :]
        assert meta.TransferSyntaxUID != syntax
        assert meta.TransferSyntaxUID.is_transfer_syntax
        assert meta.MediaStorageSOPInstanceUID == "2.25.1001"
        there = pydicom.dcmread(io.BytesIO(original.content))
        found = pydicom.dcmread(io.BytesIO(damaged("other format", original, seed)))
        assert found.PixelData == there.PixelData
        seen |= {word for word in keywords if found.get(word) != there.get(word)}
    assert seen == keywords


@every_syntax
def test_harmless_changes_keep_every_element_that_decides_pixels(syntax: str) -> None:
    original = read_original(good_file(syntax))
    there = pydicom.dcmread(io.BytesIO(original.content))
    sizes = set()
    for seed in range(60):
        content = damaged("harmless", original, seed)
        found = pydicom.dcmread(io.BytesIO(content))
        for keyword in ("Rows", "Columns", "BitsStored", "PhotometricInterpretation", "PixelData"):
            assert found[keyword].value == there[keyword].value
        assert found.file_meta.TransferSyntaxUID == syntax
        sizes.add(len(content) - len(original.content))
    assert len(sizes) > 3  # some have trailing padding
