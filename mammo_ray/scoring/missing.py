"""Expected exams that never came: rows among the exams, so that nobody loses sight of them."""

import pyarrow as pa

from mammo_ray.identifiers import keyed_id
from mammo_ray.schema import EXAMS, ExamStatus
from mammo_ray.scoring.aggregate import Judgement


def with_missing_exams(judgement: Judgement, missing: pa.Table, exam_key: str) -> Judgement:
    """The judgement with every missing exam as a row of status `missing`.

    Such a row has the reason that the list gives, no score and no image. Its id is keyed from its
    study UID, as it would be had its images come, else from its accession.

    Args:
        judgement: exams of which some file came.
        missing: `schema.MISSING_EXAMS`.
        exam_key: key of the exam ids, from `identifiers.hash_key`.
    """
    rows = [_exam(row, exam_key) for row in missing.to_pylist()]
    if not rows:
        return judgement
    exams = pa.concat_tables([judgement.exams, pa.Table.from_pylist(rows, EXAMS)])
    return Judgement(judgement.breasts, exams.sort_by("exam_id").combine_chunks())


def _exam(row: dict[str, str | None], exam_key: str) -> dict[str, object]:
    """One row of `schema.EXAMS`."""
    study, accession = row["study_uid"], row["accession"] or ""
    key = (study,) if study else ("accession", accession)
    return {
        **{name: row[name] for name in ("patient_id", "study_uid", "study_date", "accession")},
        "exam_id": keyed_id("exam", exam_key, *key),
        "status": str(ExamStatus.MISSING),
        "reasons": [row["detail"] or "never came"],
        "partial": False,
        "images_planned": 0,
        "images_scored": 0,
        "images_rejected": 0,
    }
