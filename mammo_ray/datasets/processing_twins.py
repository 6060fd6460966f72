"""FOR PROCESSING images beside the FOR PRESENTATION images of the same exposures.

A machine may send one exposure twice: as measured, and made ready to be read (PS3.3 A.26.1). The
first is left out only where the second is there. Evidence, the strongest first:

1. the presentation image names the other one in its Source Image Sequence;
2. both carry the same Irradiation Event UID;
3. same study, patient, side, view and modifiers, acquired in the same second;
4. the same without the time, where one of the two does not say when it was acquired.

Twins are of one kind. Two that say of themselves that they come from different events or moments
are none. By 3 and 4 one presentation image accounts for one other, for a repeat may have been sent
in one form only; side and view must be known.
"""

from collections.abc import Iterator

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from mammo_ray.schema import PresentationIntent

_VIEW = ["study_uid", "patient_id", "laterality", "view_position", "image_kind", "modifiers"]
_COLUMNS = [
    "image_id", "sop_uid", "study_uid", "patient_id", "laterality", "view_position", "image_kind",
    "view_modifiers", "presentation_intent", "irradiation_event", "acquired", "source_sop_uids",
]  # fmt: skip
_BY_SOURCE = "a FOR PRESENTATION image names it in SourceImageSequence (0008,2112)"
_BY_EVENT = "a FOR PRESENTATION image has its IrradiationEventUID (0008,3010)"
_BY_TIME = "a FOR PRESENTATION image of its study, side and view was acquired in the same second"
_BY_VIEW = "a FOR PRESENTATION image of its study, side and view"


def find_processing_twins(rows: pa.Table) -> dict[str, str]:
    """The FOR PROCESSING images that have a FOR PRESENTATION twin, and how it was found.

    Args:
        rows: columns of `schema.EXAMINED`, each `image_id` once.

    Returns:
        `image_id` -> what tells the twin; no identifiers.
    """
    intent = rows.column("presentation_intent")
    processing = pc.equal(intent, str(PresentationIntent.PROCESSING))
    if not pc.any(processing).as_py():
        return {}
    raw = _frame(rows.filter(processing))
    shown = rows.filter(pc.equal(intent, str(PresentationIntent.PRESENTATION)))
    shown = _frame(shown.filter(_may_have_twins(shown, raw)))
    found: dict[str, str] = {}
    for evidence, pairs in _rounds(raw, shown):
        found |= dict.fromkeys(raw.loc[pairs["raw"].unique(), "image_id"], evidence)
    return found


def _may_have_twins(shown: pa.Table, raw: pd.DataFrame) -> pa.Array:
    """Presentation images of the studies and events that have images for processing as well."""
    same = [
        pc.is_in(shown.column(name), pa.array(raw[name].dropna().unique(), pa.string()))
        for name in ("study_uid", "irradiation_event")
    ]
    return pc.or_(*same)


def _frame(rows: pa.Table) -> pd.DataFrame:
    """The compared columns, in the order of image ids; null is None, modifiers one text."""
    columns = rows.select(_COLUMNS).sort_by("image_id")
    modifiers = pc.binary_join(pc.fill_null(columns.column("view_modifiers"), []), ",")
    plain = columns.drop_columns(["view_modifiers"]).append_column("modifiers", modifiers)
    frame: pd.DataFrame = plain.to_pandas()
    return frame


def _rounds(raw: pd.DataFrame, shown: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """One round of pairing after another, each with what the ones before have left.

    Yields:
        The evidence of the round, and index pairs `raw`, `shown`.
    """
    sources = shown[["source_sop_uids", "image_kind"]].explode("source_sop_uids")
    keys = ["sop_uid", "image_kind"]
    pairs = _merge(raw[keys], sources.set_axis(keys, axis=1))
    yield _BY_SOURCE, pairs
    raw, shown = _without(raw, shown, pairs)
    keys = ["irradiation_event", "image_kind"]
    pairs = _merge(raw[keys], shown[keys])
    yield _BY_EVENT, pairs
    raw, shown = _without(raw, shown, pairs)
    for evidence, keys, raws, showns in _BY_PLACE:
        pairs = _merge_once(_of_state(raw, raws)[keys], _of_state(shown, showns)[keys])
        yield evidence, pairs
        raw, shown = _without(raw, shown, pairs)


def _without(
    raw: pd.DataFrame, shown: pd.DataFrame, pairs: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    return raw.drop(index=pd.Index(pairs["raw"])), shown.drop(index=pd.Index(pairs["shown"]))


# Rounds by place: keys, and what each of the two must (True), must not (False) or may (None) say of
# its event and its time. Where both say something and it differs, they never meet.
_State = tuple[bool | None, bool | None]
_BY_PLACE: tuple[tuple[str, list[str], _State, _State], ...] = (
    (_BY_TIME, [*_VIEW, "acquired"], (False, True), (None, True)),
    (_BY_TIME, [*_VIEW, "acquired"], (True, True), (False, True)),
    (_BY_VIEW, _VIEW, (False, False), (None, None)),
    (_BY_VIEW, _VIEW, (False, True), (None, False)),
    (_BY_VIEW, _VIEW, (True, False), (False, None)),
    (_BY_VIEW, _VIEW, (True, True), (False, False)),
)


def _of_state(frame: pd.DataFrame, state: _State) -> pd.DataFrame:
    known = frame[["study_uid", "laterality", "view_position"]].notna().all(axis=1)
    for name, wanted in zip(("irradiation_event", "acquired"), state, strict=True):
        if wanted is not None:
            known &= frame[name].notna() == wanted
    return frame[known]


def _merge(raw: pd.DataFrame, shown: pd.DataFrame) -> pd.DataFrame:
    """Index pairs of all rows whose first column is known and equal, and whose others are alike."""
    first = raw.columns[0]
    one, other = (frame[frame[first].notna()].fillna("") for frame in (raw, shown))
    one, other = one.assign(raw=one.index), other.assign(shown=other.index)
    return one.merge(other, on=list(raw.columns))[["raw", "shown"]]


def _merge_once(raw: pd.DataFrame, shown: pd.DataFrame) -> pd.DataFrame:
    """Index pairs of rows that are alike, each row at most once, in row order."""
    keys = list(raw.columns)
    frames = [frame.fillna("") for frame in (raw, shown)]
    one, other = (f.assign(place=f.groupby(keys, sort=False).cumcount()) for f in frames)
    return _merge(one, other)
