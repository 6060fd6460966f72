"""The words and the tables that every stage shares.

Enumerations are the one vocabulary of reasons, rules, views and states; free text goes into a
`detail` column beside them. Arrow schemas describe every table that is written. Column order is
part of the contract and `SCHEMA_VERSION` stands in the metadata of every table.
"""

from enum import StrEnum

import pyarrow as pa

SCHEMA_VERSION = "2"


class Layout(StrEnum):
    """How a data set lies on disk; `archive` takes any tree of DICOM files."""

    CBIS_DDSM = "cbis-ddsm"
    CBIS_DDSM_KAGGLE = "cbis-ddsm-kaggle"
    RSNA = "rsna"
    VINDR = "vindr"
    INBREAST = "inbreast"
    MINI_MIAS = "mini-mias"
    FOLDERS = "folders"
    PAIRS = "pairs"
    ARCHIVE = "archive"


class Laterality(StrEnum):
    """Side of the body: Image Laterality (0020,0062), PS3.3 C.8.11.7."""

    LEFT = "L"
    RIGHT = "R"
    BOTH = "B"


class ViewPosition(StrEnum):
    """Mammography projection, PS3.16 CID 4014, by the codes of View Position (0018,5101)."""

    CC = "CC"
    MLO = "MLO"
    ML = "ML"
    LM = "LM"
    LMO = "LMO"
    XCC = "XCC"
    XCCL = "XCCL"
    XCCM = "XCCM"
    FB = "FB"
    SIO = "SIO"
    ISO = "ISO"
    AT = "AT"
    CV = "CV"


class ImageKind(StrEnum):
    """How the image was made; kinds are never pooled silently."""

    FFDM = "ffdm"
    FILM = "film"
    SYNTHETIC_2D = "synthetic-2d"
    TOMOSYNTHESIS = "tomosynthesis"
    CONTRAST = "contrast"
    QUALITY_CONTROL = "quality-control"


class Kind(StrEnum):
    """How much of a film a file shows."""

    FULL = "full"
    CROP = "crop"
    MASK = "mask"


class OutlineForm(StrEnum):
    """The forms in which data sets draw a finding."""

    CIRCLE = "circle"
    BOX = "box"
    POLYGON = "polygon"


class PresentationIntent(StrEnum):
    """Presentation Intent Type (0008,0068), else what the SOP class says."""

    PRESENTATION = "FOR PRESENTATION"
    PROCESSING = "FOR PROCESSING"


class LabelLevel(StrEnum):
    """What one label speaks of."""

    IMAGE = "image"
    BREAST = "breast"
    LESION = "lesion"
    WOMAN = "woman"


class LabelSource(StrEnum):
    """Where a label comes from; a reading (BI-RADS) never fills `cancer`."""

    PATHOLOGY = "pathology"
    FOLLOW_UP = "follow-up"
    READING = "reading"


class Stage(StrEnum):
    """The stage that left an image out."""

    MANIFEST = "manifest"
    PREPARE = "prepare"
    SCORE = "score"
    EXPORT = "export"


class RejectionReason(StrEnum):
    """Why an image could not be used: a fault, counted against the allowed share."""

    UNREADABLE_FILE = "unreadable-file"
    EMPTY_FILE = "empty-file"
    NOT_DICOM = "not-dicom"
    HEADER_TRUNCATED = "header-truncated"
    HEADER_INVALID = "header-invalid"
    NO_PIXEL_DATA = "no-pixel-data"
    CONFLICTING_INSTANCE = "conflicting-instance"
    FILE_CHANGED = "file-changed"
    UNKNOWN_FORMAT = "unknown-format"
    MISSING_FILE = "missing-file"
    AMBIGUOUS_FILE = "ambiguous-file"
    TABLE_ROW_INVALID = "table-row-invalid"
    NOT_IN_TABLE = "not-in-table"
    ANNOTATION_INVALID = "annotation-invalid"
    MASK_WITHOUT_IMAGE = "mask-without-image"
    UNSUPPORTED_TRANSFER_SYNTAX = "unsupported-transfer-syntax"
    UNSUPPORTED_PIXEL_FORMAT = "unsupported-pixel-format"
    IMAGE_TOO_LARGE = "image-too-large"
    PIXEL_DATA_TRUNCATED = "pixel-data-truncated"
    CODESTREAM_MISMATCH = "codestream-mismatch"
    DECODE_FAILED = "decode-failed"
    DECODER_CRASH = "decoder-crash"
    DECODER_TIMEOUT = "decoder-timeout"
    OUT_OF_MEMORY = "out-of-memory"
    GRAYSCALE_INVALID = "grayscale-invalid"
    BLANK_IMAGE = "blank-image"
    NON_FINITE_SCORE = "non-finite-score"


class ExclusionRule(StrEnum):
    """Why a file was left out on purpose; not a fault."""

    NOT_AN_IMAGE = "not-an-image"
    NOT_AN_IMAGE_OBJECT = "not-an-image-object"
    OTHER_MODALITY = "other-modality"
    MAGNIFICATION = "magnification"
    SPOT_COMPRESSION = "spot-compression"
    STEREOTACTIC = "stereotactic"
    SPECIMEN = "specimen"
    PROCESSING_TWIN = "processing-twin"
    QUALITY_CONTROL = "quality-control"
    FLAT_FIELD = "flat-field"
    DUPLICATE_INSTANCE = "duplicate-instance"
    MASK_OF_AN_IMAGE = "mask-of-an-image"
    ANNOTATION = "annotation"
    NOT_IN_LAYOUT = "not-in-layout"


class ImageStatus(StrEnum):
    """State of one planned image."""

    PREPARED = "prepared"
    SCORED = "scored"
    REJECTED = "rejected"


class ExamStatus(StrEnum):
    """State of an exam judged against a protocol."""

    SCORED = "scored"
    INCOMPLETE = "incomplete"
    FAILED = "failed"
    OUT_OF_SCOPE = "out-of-scope"
    MISSING = "missing"


class Protocol(StrEnum):
    """The views that an exam must have before it counts as scored."""

    FOUR_VIEW = "four-view"
    MLO_ONLY = "mlo-only"
    UNILATERAL = "unilateral"
    ANY = "any"


def _schema(*groups: list[tuple[str, pa.DataType]]) -> pa.Schema:
    """Schema of the given column groups, nullable, stamped with the schema version."""
    fields = [pa.field(name, kind) for group in groups for name, kind in group]
    return pa.schema(fields, metadata={"schema_version": SCHEMA_VERSION})


ABNORMALITY = pa.struct(
    [
        pa.field("number", pa.int16()),
        pa.field("type", pa.string()),
        pa.field("pathology", pa.string()),
        pa.field("shape", pa.string()),
        pa.field("margins", pa.string()),
        pa.field("calcification_type", pa.string()),
        pa.field("distribution", pa.string()),
        pa.field("assessment", pa.int16()),
        pa.field("subtlety", pa.int16()),
    ]
)

# A finding drawn by hand, in source pixels with integers at pixel centers (row, column).
# circle: center in points, radius; box: top-left and bottom-right corner pixels, both inside it;
# polygon: its corners. `points` is flat: row, column, row, column ...
OUTLINE = pa.struct(
    [
        pa.field("form", pa.string()),
        pa.field("points", pa.list_(pa.float64())),
        pa.field("radius", pa.float64()),
    ]
)

# Who and when: enough to tell women, exams and breasts apart.
_IDENTITY: list[tuple[str, pa.DataType]] = [
    ("patient_id", pa.string()),
    ("study_uid", pa.string()),
    ("study_date", pa.string()),
    ("accession", pa.string()),
    ("laterality", pa.string()),
    ("view_position", pa.string()),
]

# What an image is, who made it, and its labels: carried into prepared parts and scores.
_LABELS: list[tuple[str, pa.DataType]] = [
    ("film_id", pa.string()),
    ("kind", pa.string()),
    ("parent_image_id", pa.string()),
    ("view_modifiers", pa.list_(pa.string())),
    ("image_kind", pa.string()),
    ("presentation_intent", pa.string()),
    ("split", pa.string()),
    ("cancer", pa.int8()),
    ("label_level", pa.string()),
    ("label_source", pa.string()),
    ("follow_up_months", pa.int32()),
    ("pathology", pa.string()),
    ("birads", pa.string()),
    ("density", pa.string()),
    ("age", pa.float32()),
    ("implant", pa.bool_()),
    ("biopsy", pa.bool_()),
    ("invasive", pa.bool_()),
    ("difficult_negative", pa.bool_()),
    ("site", pa.string()),
    ("manufacturer", pa.string()),
    ("model_name", pa.string()),
    ("device_serial", pa.string()),
    ("software_versions", pa.string()),
]

# Where any prepared pixel lies in the source image; see preprocess.geometry.
_GEOMETRY: list[tuple[str, pa.DataType]] = [
    ("source_rows", pa.int32()),
    ("source_columns", pa.int32()),
    ("crop_top", pa.int32()),
    ("crop_left", pa.int32()),
    ("crop_height", pa.int32()),
    ("crop_width", pa.int32()),
    ("flipped", pa.bool_()),
    ("scale_y", pa.float64()),
    ("scale_x", pa.float64()),
    ("pad_top", pa.int32()),
    ("pad_left", pa.int32()),
]

# How the pixels came to be: read by people who ask why an image looks as it does.
_PROVENANCE: list[tuple[str, pa.DataType]] = [
    ("decoder", pa.string()),
    ("grayscale", pa.string()),
    ("breast_strategy", pa.string()),
    ("blank", pa.bool_()),
    ("notes", pa.list_(pa.string())),
    ("preprocess_digest", pa.string()),
]

MANIFEST = _schema(
    [("image_id", pa.string()), ("uri", pa.string())],
    _IDENTITY,
    [("series_uid", pa.string()), ("sop_uid", pa.string()), ("sop_class", pa.string())],
    _LABELS,
    [
        ("abnormalities", pa.list_(ABNORMALITY)),
        ("mask_uris", pa.list_(pa.string())),
        ("roi_uris", pa.list_(pa.string())),
        ("outlines", pa.list_(OUTLINE)),
        ("mask_values", pa.list_(pa.int32())),
        ("pixel_spacing_mm", pa.list_(pa.float64())),
        ("magnification", pa.float64()),
        ("rows", pa.int32()),
        ("columns", pa.int32()),
        ("transfer_syntax", pa.string()),
        ("bytes", pa.int64()),
    ],
)

# What the examination of a file adds for the reader of its layout; no manifest keeps it.
_PIXEL_FACTS: list[tuple[str, pa.DataType]] = [
    ("bits", pa.int16()),
    ("near_binary", pa.float32()),
    ("foreground", pa.float32()),
    ("gray_values", pa.list_(pa.int32())),
]

# Which exposure an image comes from: tells FOR PROCESSING images that have a twin.
_EXPOSURE: list[tuple[str, pa.DataType]] = [
    ("irradiation_event", pa.string()),
    ("acquired", pa.string()),
    ("source_sop_uids", pa.list_(pa.string())),
]

EXAMINED = pa.schema(
    [*MANIFEST, *[pa.field(name, kind) for name, kind in [*_PIXEL_FACTS, *_EXPOSURE]]],
    metadata={"schema_version": SCHEMA_VERSION},
)

# Identity is null where the header could not be read; it lets a fault count against its exam.
_LEFT_OUT: list[tuple[str, pa.DataType]] = [("detail", pa.string()), *_IDENTITY]

EXCLUSIONS = _schema(
    [("image_id", pa.string()), ("uri", pa.string()), ("rule", pa.string())], _LEFT_OUT
)

REJECTIONS = _schema(
    [
        ("image_id", pa.string()),
        ("uri", pa.string()),
        ("stage", pa.string()),
        ("reason", pa.string()),
    ],
    _LEFT_OUT,
)

PREPARED = _schema(
    [
        ("image_id", pa.string()),
        ("pixels", pa.binary()),
        ("height", pa.int32()),
        ("width", pa.int32()),
        ("dtype", pa.string()),
        ("mask", pa.binary()),
    ],
    _GEOMETRY,
    _PROVENANCE,
    _IDENTITY,
    _LABELS,
)

SCORED_IMAGES = _schema(
    [
        ("image_id", pa.string()),
        ("uri", pa.string()),
        ("status", pa.string()),
        ("reason", pa.string()),
        ("detail", pa.string()),
        ("score", pa.float64()),
        ("model_digest", pa.string()),
    ],
    _GEOMETRY,
    _PROVENANCE,
    _IDENTITY,
    _LABELS,
)

BREASTS = _schema(
    [
        ("exam_id", pa.string()),
        ("patient_id", pa.string()),
        ("laterality", pa.string()),
        ("score", pa.float64()),
        ("partial", pa.bool_()),
        ("images_planned", pa.int32()),
        ("images_scored", pa.int32()),
        ("views_scored", pa.list_(pa.string())),
        ("cancer", pa.int8()),
    ]
)

EXAMS = _schema(
    [
        ("exam_id", pa.string()),
        ("patient_id", pa.string()),
        ("study_uid", pa.string()),
        ("study_date", pa.string()),
        ("accession", pa.string()),
        ("status", pa.string()),
        ("reasons", pa.list_(pa.string())),
        ("score", pa.float64()),
        ("partial", pa.bool_()),
        ("images_planned", pa.int32()),
        ("images_scored", pa.int32()),
        ("images_rejected", pa.int32()),
        ("cancer", pa.int8()),
    ]
)

# Exams of a list of expected ones of which no screening image came.
MISSING_EXAMS = _schema(
    [
        ("accession", pa.string()),
        ("study_uid", pa.string()),
        ("patient_id", pa.string()),
        ("study_date", pa.string()),
        ("detail", pa.string()),
    ]
)

# Columns that are known only once an image was read, or a woman followed: targets, never inputs.
FOLLOWS_READING: tuple[str, ...] = (
    "birads", "biopsy", "invasive", "difficult_negative", "pathology", "follow_up_months",
    "label_source",
)  # fmt: skip
LABEL_COLUMNS: tuple[str, ...] = tuple(name for name, _ in _IDENTITY + _LABELS)
IDENTITY_COLUMNS: tuple[str, ...] = tuple(name for name, _ in _IDENTITY)
GEOMETRY_COLUMNS: tuple[str, ...] = tuple(name for name, _ in _GEOMETRY)
