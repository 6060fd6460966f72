"""From the scores of images to breasts and exams, judged against a protocol.

Scoring fails closed: an image that could not be scored is never a negative. An exam counts as
`scored` only when every required view has a score and none of its files was rejected; otherwise
its score, where there is one, is partial: what could not be scored may raise or lower it.

- A breast's score is the mean within a view position, then the mean over its view positions.
- An exam's score is the highest of its breasts.
- Images of unknown side may show different breasts: the highest of them stands for all, as a
  breast called `unknown`.
- An image of unknown side, view or kind counts towards the score and satisfies no required view.
  A header that does not speak of implants (0028,1300) is taken for one without.
- The score of an image out of scope enters no breast and no exam.
- A file with neither study nor patient is an exam of its own and is never `scored`: nobody could
  be called back.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from mammo_ray import schema
from mammo_ray.schema import ExamStatus, Protocol
from mammo_ray.scoring.breasts import breast_table, judge_breasts
from mammo_ray.scoring.exam_files import gather_files, number_exams
from mammo_ray.scoring.exam_reasons import reasons_by_exam
from mammo_ray.scoring.protocol import SIDES, VIEWS, Scope, required_views

__all__ = ["Judgement", "Scope", "judge_exams"]

_Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Judgement:
    """Tables `schema.BREASTS` and `schema.EXAMS`, sorted by `exam_id`.

    In both, `images_planned` = scored + rejected: every file that is known to belong there, also
    those that the manifest stage rejected. A breast without any file has no row.
    """

    breasts: pa.Table
    exams: pa.Table


def judge_exams(
    images: pd.DataFrame,
    rejections: pd.DataFrame,
    protocol: Protocol,
    scope: Scope,
    exam_key: str,
) -> Judgement:
    """Breasts and exams of a scored archive; every file counts in exactly one exam.

    Statuses, the first that fits: `out-of-scope` (some image is of a kind, or shows an implant,
    that the model was not validated on), `failed` (no image scored), `incomplete` (a required view
    is missing, a file was rejected, or it is unsure whose exam it is), `scored`.

    Args:
        images: columns of `schema.SCORED_IMAGES`, one row a planned image.
        rejections: columns of `schema.REJECTIONS`: the files that never became a manifest row.
        protocol: the views that an exam must have.
        scope: what the model was validated on.
        exam_key: key of the exam ids, from `identifiers.hash_key`.
    """
    files = gather_files(images, rejections, scope)
    exam_ids = number_exams(files, exam_key)
    views = _judge_views(files, protocol, len(exam_ids))
    breasts = judge_breasts(files, views.missing)
    exams = _exam_frame(files, exam_ids)
    exams["score"] = breasts.groupby("exam")["score"].max()
    exams["status"] = _statuses(exams, views.whole)
    exams["partial"] = exams["score"].notna() & (exams["status"] != ExamStatus.SCORED)
    reasons = reasons_by_exam(files, views.absent, views.sideless)
    return Judgement(breast_table(breasts, exams), _exam_table(exams, reasons))


@dataclass(frozen=True)
class _Views:
    """What the protocol finds; the first two are (exam, side, view), the others (exam,)."""

    missing: _Flags  # required, and no image satisfies it
    absent: _Flags  # required, and no file shows it
    sideless: _Flags  # a whole side is asked for, and no side is known
    whole: _Flags  # every required view is satisfied


def _judge_views(files: pd.DataFrame, protocol: Protocol, exams: int) -> _Views:
    known = files[files["side"] < len(SIDES)]
    sides = np.zeros((exams, len(SIDES)), dtype=bool)
    sides[known["exam"], known["side"]] = True
    required = required_views(protocol, sides)
    shown, satisfied = np.zeros_like(required), np.zeros_like(required)
    askable = known[known["view"] < len(VIEWS)]
    shown[askable["exam"], askable["side"], askable["view"]] = True
    good = askable[askable["satisfies"]]
    satisfied[good["exam"], good["side"], good["view"]] = True
    missing = required & ~satisfied
    sideless = np.full(exams, protocol == Protocol.UNILATERAL) & ~sides.any(axis=1)
    whole = np.bincount(files["exam"], weights=files["satisfies"], minlength=exams) > 0
    whole &= ~sideless & ~missing.any(axis=(1, 2))
    return _Views(missing, required & ~shown, sideless, whole)


def _exam_frame(files: pd.DataFrame, exam_ids: list[str]) -> pd.DataFrame:
    """One row an exam, in the order of their ids: identity, counts and flags."""
    exams = pd.DataFrame({"exam_id": exam_ids})
    for name in ("patient_id", "study_uid", "study_date", "accession"):
        first = files[["exam", name]].dropna().drop_duplicates("exam").set_index("exam")
        exams[name] = first[name].reindex(exams.index)
    flags = pd.DataFrame(
        {
            "images_planned": 1,
            "images_scored": files["scored"].astype(int),
            "out_of_scope": (~(files["kind_in_scope"] & files["implant_in_scope"])).astype(int),
            "doubtful": (files["shared_study"] | files["unidentified"]).astype(int),
        }
    )
    exams = exams.join(flags.groupby(files["exam"]).sum())
    exams["images_rejected"] = exams["images_planned"] - exams["images_scored"]
    exams["cancer"] = files["cancer"].groupby(files["exam"]).max()
    return exams


def _statuses(exams: pd.DataFrame, whole: _Flags) -> "pd.Series[str]":
    sure = whole & (exams["images_rejected"] == 0) & (exams["doubtful"] == 0)
    status = pd.Series(str(ExamStatus.INCOMPLETE), index=exams.index, dtype=object)
    status = status.mask(sure, str(ExamStatus.SCORED))
    status = status.mask(exams["images_scored"] == 0, str(ExamStatus.FAILED))
    return status.mask(exams["out_of_scope"] > 0, str(ExamStatus.OUT_OF_SCOPE))


def _exam_table(exams: pd.DataFrame, reasons: pa.ListArray) -> pa.Table:
    arrays = [
        reasons
        if field.name == "reasons"
        else pa.array(exams[field.name], field.type, from_pandas=True)
        for field in schema.EXAMS
    ]
    return pa.table(arrays, schema=schema.EXAMS)
