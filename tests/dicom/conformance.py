"""The table of DICOM fixtures: what each one is, what is odd about it, and who knows its pixels."""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import imagecodecs
import numpy as np
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, encapsulate_extended

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
from tests.dicom.gray_cases import lut_item, ramp, sequence

Judge = Literal["dcmtk", "openjpeg", "pydicom", None]


@dataclass(frozen=True)
class Fixture:
    """One row of the table.

    Attributes:
        content: the file.
        syntax, bits, photometric, shape: as the header has them; shape is rows and columns.
        judge: a decoder that the package does not call; its pixels are the expected ones.
        pixels: the expected stored values where they are known without decoding.
        quirk: what is odd about it, in words.
        tolerance: greatest difference of a stored value; above 0 only for lossy syntaxes.
        notes: what the decoder must say about it.
    """

    content: Callable[[], bytes]
    syntax: str
    bits: int
    photometric: str
    shape: tuple[int, int]
    judge: Judge
    quirk: str = "none"
    pixels: Array | None = None
    tolerance: int = 0
    notes: tuple[str, ...] = ()


def _pydicom(
    name: str,
    suffix: str,
    bits: int,
    photometric: str,
    shape: tuple[int, int],
    judge: Judge,
    quirk: str = "none",
    *,
    tolerance: int = 0,
    notes: tuple[str, ...] = (),
) -> tuple[str, Fixture]:
    """A row for a file that comes with pydicom."""

    def content() -> bytes:
        return Path(str(get_testdata_file(name, download=False))).read_bytes()

    syntax = JPEG + suffix if suffix.isdigit() else suffix
    fixture = Fixture(
        content, syntax, bits, photometric, shape, judge, quirk, None, tolerance, notes
    )
    return name, fixture


_M1, _M2, _RGB, _YBR = "MONOCHROME1", "MONOCHROME2", "RGB", "YBR_FULL"


def _gray_note(photometric: str) -> str:
    return f"colour ({photometric}) was turned to gray"


_BOXED = "the JPEG 2000 codestream was wrapped in JP2 boxes"
_COLOUR = {name: (_gray_note(name),) for name in (_RGB, _YBR, "YBR_FULL_422", "YBR_RCT")}
_MR, _SC = (64, 64), (100, 100)

OF_PYDICOM: dict[str, Fixture] = dict(
    [
        _pydicom(
            "693_J2KI.dcm", "91", 14, _M2, (512, 512), "openjpeg",
            "signed, lossy; codestream of 16 bits under a header of 14",
            notes=("the codestream has 16 bits a sample, BitsStored (0028,0101) is 14",),
        ),
        _pydicom("CT_small.dcm", EXPLICIT, 16, _M2, (128, 128), "dcmtk", "signed, rescale"),
        _pydicom(
            "J2K_pixelrep_mismatch.dcm", "90", 13, _M2, (512, 512), "openjpeg",
            "the header is signed, the codestream is not",
            notes=("the codestream is unsigned, PixelRepresentation (0028,0103) is 1",),
        ),
        _pydicom("JPEG2000.dcm", "91", 16, _M2, (1024, 256), "openjpeg", "signed, lossy"),
        _pydicom("JPEG-lossy.dcm", "51", 12, _M2, (1024, 256), "dcmtk", "12 bits", tolerance=1),
        _pydicom("JPGExtended.dcm", "51", 12, _M2, (1024, 256), "dcmtk", "12 bits", tolerance=1),
        _pydicom("JPEGLSNearLossless_08.dcm", "81", 8, _M2, (45, 10), "dcmtk", "near-lossless"),
        _pydicom("JPEGLSNearLossless_16.dcm", "81", 16, _M2, (50, 10), "dcmtk", "near-lossless"),
        _pydicom("MR_small.dcm", EXPLICIT, 16, _M2, _MR, "dcmtk", "signed"),
        _pydicom("MR_small_RLE.dcm", RLE, 16, _M2, _MR, "dcmtk", "signed"),
        _pydicom("MR_small_bigendian.dcm", BIG_ENDIAN, 16, _M2, _MR, "dcmtk", "signed"),
        _pydicom("MR_small_expb.dcm", BIG_ENDIAN, 16, _M2, _MR, "dcmtk", "signed"),
        _pydicom("MR_small_implicit.dcm", IMPLICIT, 16, _M2, _MR, "dcmtk", "signed"),
        _pydicom("MR_small_jp2klossless.dcm", "90", 16, _M2, _MR, "openjpeg", "signed"),
        _pydicom("MR_small_jpeg_ls_lossless.dcm", "80", 16, _M2, _MR, "dcmtk", "signed"),
        _pydicom(
            "MR_small_padded.dcm", EXPLICIT, 16, _M2, _MR, "dcmtk", "128 bytes beyond the frame",
            notes=("PixelData has 128 bytes beyond the frame",),
        ),
        _pydicom("examples_overlay.dcm", EXPLICIT, 12, _M2, (300, 484), "dcmtk", "an overlay"),
        _pydicom("image_dfl.dcm", DEFLATED, 8, _M2, (512, 512), "dcmtk", "deflated"),
        _pydicom(
            "ExplVR_BigEnd.dcm", BIG_ENDIAN, 8, _RGB, (60, 80), "dcmtk", notes=_COLOUR[_RGB]
        ),
        _pydicom(
            "GDCMJ2K_TextGBR.dcm", "90", 8, "YBR_RCT", (400, 400), "openjpeg", "JP2 boxes",
            notes=(_BOXED, *_COLOUR["YBR_RCT"]),
        ),
        _pydicom(
            "examples_jpeg2k.dcm", "90", 8, "YBR_RCT", (480, 640), "openjpeg",
            notes=_COLOUR["YBR_RCT"],
        ),
        _pydicom(
            "examples_rgb_color.dcm", EXPLICIT, 8, _RGB, (240, 320), "dcmtk", notes=_COLOUR[_RGB]
        ),
        _pydicom(
            "SC_rgb_gdcm_KY.dcm", "91", 8, _RGB, _SC, "openjpeg", notes=_COLOUR[_RGB]
        ),
        _pydicom(
            "SC_rgb_jpeg_dcmd.dcm", IMPLICIT, 8, _RGB, (256, 256), "dcmtk", notes=_COLOUR[_RGB]
        ),
        _pydicom(
            "SC_rgb_jpeg_gdcm.dcm", "70", 8, _RGB, _SC, "dcmtk", notes=_COLOUR[_RGB]
        ),
        _pydicom(
            "SC_rgb_dcmtk_+eb+cr.dcm", "50", 8, _RGB, _SC, "dcmtk", "RGB without transformation",
            tolerance=2, notes=_COLOUR[_RGB],
        ),
        _pydicom(
            "SC_rgb_jpeg_dcmtk.dcm", "50", 8, _YBR, _SC, "dcmtk", tolerance=2, notes=_COLOUR[_YBR]
        ),
        _pydicom(
            "SC_rgb_dcmtk_+eb+cy+n1.dcm", "50", 8, _YBR, _SC, "dcmtk", "not subsampled",
            tolerance=2, notes=_COLOUR[_YBR],
        ),
        _pydicom(
            "SC_rgb_jls_lossy_line.dcm", "81", 8, _RGB, _SC, "dcmtk", "interleaved by line",
            notes=_COLOUR[_RGB],
        ),
        _pydicom(
            "SC_rgb_jls_lossy_sample.dcm", "81", 8, _RGB, _SC, "dcmtk", "interleaved by sample",
            notes=_COLOUR[_RGB],
        ),
        _pydicom("SC_rgb_rle.dcm", RLE, 8, _RGB, _SC, "dcmtk", notes=_COLOUR[_RGB]),
        _pydicom(
            "SC_rgb_rle_16bit.dcm", RLE, 16, _RGB, _SC, "dcmtk", "colour of 16 bits",
            tolerance=1, notes=_COLOUR[_RGB],
        ),
        _pydicom(
            "SC_rgb_small_odd.dcm", EXPLICIT, 8, _RGB, (3, 3), "dcmtk", "27 bytes and one more",
            notes=_COLOUR[_RGB],
        ),
        _pydicom(
            "SC_rgb_small_odd_big_endian.dcm", BIG_ENDIAN, 8, _RGB, (3, 3), "dcmtk",
            "bytes in big-endian words", notes=_COLOUR[_RGB],
        ),
        _pydicom(
            "SC_ybr_full_422_uncompressed.dcm", EXPLICIT, 8, "YBR_FULL_422", _SC, "pydicom",
            "two pixels share their colour", notes=_COLOUR["YBR_FULL_422"],
        ),
    ]
)  # fmt: skip

# Files of pydicom that are rejected, with the reason.
REJECTED = {
    "JPEG2000-embedded-sequence-delimiter.dcm": "codestream-mismatch",
    "MR_truncated.dcm": "pixel-data-truncated",
    "SC_rgb_rle_2frame.dcm": "unsupported-pixel-format",
    "SC_rgb_rle_32bit.dcm": "unsupported-pixel-format",
    "badVR.dcm": "header-invalid",
    "examples_palette.dcm": "unsupported-pixel-format",
    "examples_ybr_color.dcm": "unsupported-pixel-format",
    "liver_1frame.dcm": "unsupported-pixel-format",
    "meta_missing_tsyntax.dcm": "header-invalid",
    "no_meta.dcm": "not-dicom",
    "rtdose_1frame.dcm": "unsupported-pixel-format",
    "rtplan.dcm": "no-pixel-data",
    "rtplan_truncated.dcm": "header-truncated",
}


def _made(
    pixels: Array,
    content: Callable[[], bytes],
    syntax: str,
    bits: int,
    judge: Judge,
    quirk: str,
    *,
    photometric: str = _M2,
    tolerance: int = 0,
    notes: tuple[str, ...] = (),
) -> Fixture:
    """A row for a file that is made here, of pixels that are known."""
    shape = (pixels.shape[0], pixels.shape[1])
    return Fixture(
        content, syntax, bits, photometric, shape, judge, quirk, pixels, tolerance, notes
    )


def _rsna() -> Fixture:
    pixels = gradient(16)
    boxed = imagecodecs.jpeg2k_encode(pixels, codecformat="JP2", reversible=True)

    def content() -> bytes:
        return dicom_file(
            pixels, JPEG + "90", 16, fragments=[boxed], Modality=None,
            PhotometricInterpretation=_M1, VOILUTFunction="SIGMOID",
            WindowCenter=[30000, 28000, 32000, 1], WindowWidth=[20000, 15000, 25000, 8],
        )  # fmt: skip

    return _made(
        pixels, content, JPEG + "90", 16, "openjpeg",
        "RSNA: no Modality, no ViewPosition, JP2 boxes, four windows, SIGMOID",
        photometric=_M1, notes=(_BOXED,),
    )  # fmt: skip


def _ge() -> Fixture:
    pixels = gradient(12)
    names = {"HARDER": 2.0, "NORMAL": 1.0, "SOFTER": 0.5}
    luts = [lut_item(ramp(4096, 12, power), 0, 12, name) for name, power in names.items()]

    def content() -> bytes:
        return dicom_file(
            pixels, JPEG + "70", 12, VOILUTSequence=sequence(*luts), WindowCenter=2000,
            WindowWidth=1500, PresentationLUTShape="IDENTITY",
        )  # fmt: skip

    quirk = "GE: three VOI LUTs beside a window, NORMAL is the second"
    return _made(pixels, content, JPEG + "70", 12, "dcmtk", quirk)


def _with_padding(photometric: str) -> Fixture:
    pixels = gradient(12)
    pixels[:, 60:] = 4095

    def content() -> bytes:
        return dicom_file(
            pixels, JPEG + "70", 12, PhotometricInterpretation=photometric,
            PixelPaddingValue=4095, PixelPaddingRangeLimit=4090, WindowCenter=2000,
            WindowWidth=4000,
        )  # fmt: skip

    quirk = "pixel padding inside the film"
    return _made(pixels, content, JPEG + "70", 12, "dcmtk", quirk, photometric=photometric)


def _without_optional_elements() -> Fixture:
    pixels = gradient(16)

    def content() -> bytes:
        return dicom_file(
            pixels, IMPLICIT, 16, HighBit=None, PixelRepresentation=None, SamplesPerPixel=None,
            Modality=None, PatientID=None, StudyInstanceUID=None,
        )  # fmt: skip

    return _made(pixels, content, IMPLICIT, 16, None, "no optional element")


def _over_stored_bits() -> Fixture:
    pixels = gradient(12)
    overlaid = (pixels | 0x6000).astype(np.uint16)

    def content() -> bytes:
        return dicom_file(overlaid, EXPLICIT, 12)

    return _made(pixels, content, EXPLICIT, 12, None, "values exceed BitsStored: an overlay")


def _of_another_precision() -> Fixture:
    pixels = gradient(12)
    frame = encode(pixels, JPEG + "70", 14)

    def content() -> bytes:
        return dicom_file(pixels, JPEG + "70", 12, fragments=[frame])

    return _made(
        pixels, content, JPEG + "70", 12, "dcmtk", "a codestream of 14 bits under a header of 12",
        notes=("the codestream has 14 bits a sample, BitsStored (0028,0101) is 12",),
    )  # fmt: skip


def _trailing(suffix: str, judge: Judge, padding: bytes) -> Fixture:
    pixels = gradient(8)
    frame = encode(pixels, JPEG + suffix, 8) + padding

    def content() -> bytes:
        return dicom_file(pixels, JPEG + suffix, 8, fragments=[frame])

    quirk = f"{padding.hex()} after the end marker"
    return _made(pixels, content, JPEG + suffix, 8, judge, quirk)


def _overshooting(bits: int) -> Fixture:
    """A lossy wavelet leaves the range of its bits around white letters on black."""
    pixels = np.zeros((96, 128), np.uint8 if bits == 8 else np.uint16)
    pixels[20:70:3, 20:100] = (1 << bits) - 1
    frame = imagecodecs.htj2k_encode(pixels, level=0.01, reversible=False)

    def content() -> bytes:
        return dicom_file(pixels, JPEG + "203", bits, fragments=[frame])

    quirk = "samples below black and above white before they are clipped"
    # The two decoders compute in floating point, each in its own order.
    tolerance = 1 if bits == 8 else 4
    return Fixture(
        content, JPEG + "203", bits, _M2, (96, 128), "openjpeg", quirk, tolerance=tolerance
    )


def _signed(syntax: str, judge: Judge) -> Fixture:
    pixels = gradient(16, signed=True)
    frames = None
    if syntax.startswith(JPEG):
        frames = [encode(pixels.view(np.uint16), syntax, 16)]

    def content() -> bytes:
        return dicom_file(pixels, syntax, 16, fragments=frames, RescaleIntercept=-5, RescaleSlope=2)

    return _made(pixels, content, syntax, 16, judge, "signed under a rescale")


def _planar(planar: int) -> Fixture:
    colour = np.stack([gradient(8), gradient(8)[::-1], gradient(8)[:, ::-1]], axis=-1)
    laid_out = np.ascontiguousarray(np.moveaxis(colour, -1, 0) if planar else colour)

    def content() -> bytes:
        dataset = header_of(colour, 8)
        dataset.PlanarConfiguration = planar
        dataset.PixelData = laid_out.tobytes()
        dataset["PixelData"].VR = "OB"
        return file_of(dataset)

    quirk = "a colour secondary capture, " + ("plane by plane" if planar else "pixel by pixel")
    return Fixture(content, EXPLICIT, 8, _RGB, (96, 80), "dcmtk", quirk, notes=_COLOUR[_RGB])


MADE: dict[str, Fixture] = {
    "RSNA": _rsna(),
    "GE": _ge(),
    "padding": _with_padding(_M2),
    "padding of an inverted film": _with_padding(_M1),
    "no optional element": _without_optional_elements(),
    "BitsStored exceeded": _over_stored_bits(),
    "another precision": _of_another_precision(),
    "overshooting HTJ2K, 8 bits": _overshooting(8),
    "overshooting HTJ2K, 16 bits": _overshooting(16),
    "planar colour": _planar(1),
    "colour": _planar(0),
    **{
        f"{padding.hex()} after {suffix}": _trailing(suffix, judge, padding)
        for suffix, judge in (("70", "dcmtk"), ("80", "dcmtk"), ("90", "openjpeg"))
        for padding in (b"\0", b"\0\0", b"\xff\xff")
    },
    **{
        f"signed {syntax}": _signed(syntax, judge)
        for syntax, judge in (
            (EXPLICIT, "dcmtk"), (IMPLICIT, "dcmtk"), (BIG_ENDIAN, "dcmtk"), (DEFLATED, "dcmtk"),
            (RLE, "dcmtk"), (JPEG + "70", "dcmtk"), (JPEG + "80", "dcmtk"),
        )
    },
}  # fmt: skip

FIXTURES = {**OF_PYDICOM, **MADE}


def judge_of(syntax: str) -> Judge:
    """Who decodes a syntax besides the package."""
    return (
        "openjpeg"
        if syntax[len(JPEG) :] in ("90", "91", "201", "202", "203") and (syntax.startswith(JPEG))
        else "dcmtk"
    )


def liars() -> Iterator[tuple[str, bytes, str]]:
    """Headers that lie about their payload: what they say, the file, the reason."""
    pixels = gradient(12)
    for keyword in ("Rows", "Columns"):
        for syntax in (EXPLICIT, RLE, JPEG + "70", JPEG + "90"):
            more = dicom_file(pixels, syntax, 12, **{keyword: 200})
            reason = {EXPLICIT: "pixel-data-truncated", RLE: "decode-failed"}
            yield f"{keyword} {syntax}", more, reason.get(syntax, "codestream-mismatch")
    for syntax, other in (
        (JPEG + "70", JPEG + "90"),
        (JPEG + "90", JPEG + "80"),
        (RLE, JPEG + "50"),
    ):
        frame = encode(pixels, syntax, 12)
        yield (
            f"{syntax} as {other}",
            dicom_file(pixels, other, 12, fragments=[frame]),
            ("codestream-mismatch"),
        )
    wide = encode(gradient(16), JPEG + "70", 16)
    yield (
        "16 bits in 8",
        dicom_file(gradient(8), JPEG + "70", 8, fragments=[wide]),
        ("codestream-mismatch"),
    )


def several_frames(frames: list[bytes], table: str, header: Dataset, syntax: str) -> bytes:
    """A multi-frame file.

    Args:
        frames: encoded.
        table: `basic`, `extended`, or `none`.
        header: with NumberOfFrames; it is changed.
        syntax: of the frames.
    """
    if table == "extended":
        content, offsets, lengths = encapsulate_extended(frames)
        header.ExtendedOffsetTable, header.ExtendedOffsetTableLengths = offsets, lengths
        header.PixelData = content
    else:
        header.PixelData = encapsulate(frames, has_bot=table == "basic")
    header["PixelData"].VR = "OB"
    header["PixelData"].is_undefined_length = True
    return file_of(header, syntax)


def fragments_of(frames: list[bytes], parts: int, *, basic_table: bool) -> bytes:
    """Encapsulated frames of several fragments each, with or without a basic offset table."""
    items, offsets = b"", []
    for frame in frames:
        offsets.append(len(items))
        step = -(-len(frame) // parts // 2) * 2
        for start in range(0, len(frame), step):
            part = frame[start : start + step]
            part += b"\0" * (len(part) % 2)
            items += b"\xfe\xff\x00\xe0" + struct.pack("<L", len(part)) + part
    table = struct.pack(f"<{len(offsets)}L", *offsets) if basic_table else b""
    return b"\xfe\xff\x00\xe0" + struct.pack("<L", len(table)) + table + items
