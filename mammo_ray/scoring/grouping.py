"""Which exam each file of an archive belongs to.

An exam is a study UID, else patient + date. Nothing is lost and nothing is guessed: a file that
names no exam, and that cannot be tied to exactly one, is an exam of its own.
"""

import pandas as pd

from mammo_ray import storage

# As `identifiers.keyed_id` joins its parts: a key hashes like the parts it is made of.
_SEPARATOR = "\x1f"


def exam_keys(files: pd.DataFrame) -> pd.DataFrame:
    """The exam of each file.

    In this order: the study UID (together with the patient where several patients share one UID:
    the score of one woman must never stand beside another's name); the only study of that patient
    on that date; patient + date; for a file that never became a manifest row and has a patient
    but no date, the only exam of that patient; for one whose header could not be read, the only
    exam of its folder; else the file itself. A patient without a date is one exam.

    Args:
        files: string columns `image_id`, `uri`, `patient_id`, `study_uid`, `study_date` (null
            where unknown) and `planned` (bool): false where the manifest stage rejected it.

    Returns:
        Same index: `key` (string, never null), `by_folder` (tied by its folder), `shared_study`
        (its study UID stands for several patients), `unidentified` (neither study nor patient).
    """
    patient, date, left_out = files["patient_id"], files["study_date"], ~files["planned"]
    shared = _is_shared(files["study_uid"], patient)
    key = _study_key(files["study_uid"], patient, shared)
    day = (patient + _SEPARATOR + date.fillna("")).where(patient.notna())
    dated = day.where(date.notna())
    key = key.fillna(_only_key(dated, key)).fillna(dated)
    key = key.fillna(day.where(~left_out))
    key = key.fillna(_only_key(patient.where(key.notna() | left_out), key)).fillna(day)
    unidentified = key.isna()
    folder = _folders(files["uri"], unidentified & left_out)
    by_folder = _only_key(folder, key).where(unidentified & left_out)
    key = key.fillna(by_folder).fillna(files["image_id"]).fillna(files["uri"])
    return pd.DataFrame(
        {
            "key": key,
            "by_folder": unidentified & by_folder.notna(),
            "shared_study": shared,
            "unidentified": unidentified & by_folder.isna(),
        },
        index=files.index,
    )


def _is_shared(study: pd.Series, patient: pd.Series) -> pd.Series:
    """Whether the study UID of each file stands beside more than one patient."""
    pairs = pd.DataFrame({"study": study, "patient": patient}).dropna().drop_duplicates()
    several = pairs.loc[pairs["study"].duplicated(), "study"].unique()
    return study.isin(several) & study.notna()


def _study_key(study: pd.Series, patient: pd.Series, shared: pd.Series) -> pd.Series:
    if not shared.any():
        return study
    return study.mask(shared, study + _SEPARATOR + patient.fillna("") + _SEPARATOR + "shared")


def _only_key(by: pd.Series, key: pd.Series) -> pd.Series:
    """For each file the one key that files with the same `by` have; null for none or several."""
    asking = key.isna() & by.notna()
    if not asking.any():
        return pd.Series(pd.NA, index=by.index, dtype="string")
    pairs = pd.DataFrame({"by": by, "key": key})
    pairs = pairs[by.isin(by[asking].unique())].dropna().drop_duplicates()
    pairs = pairs[~pairs["by"].duplicated(keep=False)]
    return by.map(pairs.set_index("by")["key"]).astype("string")


def _folders(uri: pd.Series, wanted: pd.Series) -> pd.Series:
    """The folder of each file, computed only when some file asks for its neighbours."""
    if not wanted.any():
        return pd.Series(pd.NA, index=uri.index, dtype="string")
    return uri.map(storage.parent, na_action="ignore").astype("string")
