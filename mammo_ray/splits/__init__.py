"""Splits and folds that never share a woman between their sides.

Rows that share a `patient_id` or, where that column exists, a `film_id` form one group and always
stay together. Groups are dealt out by stratum (with cancer, without, unlabelled) in an order that
depends on the seed and the identifiers alone: the order of the rows changes nothing.
"""

from mammo_ray.splits.folds import assign_folds
from mammo_ray.splits.leakage import leaking_shares, leaking_shares_of_folds, require_no_leak
from mammo_ray.splits.official import official_split, settled_sides
from mammo_ray.splits.options import SplitOptions
from mammo_ray.splits.sides import assign_split, carve_validation, ratio_split
from mammo_ray.splits.tables import (
    SPLIT_COLUMNS,
    folds_table,
    parse_folds,
    parse_split,
    read_folds,
    read_split,
    split_is_leaky,
    split_table,
)
from mammo_ray.splits.words import (
    LEAKAGE,
    LEAKAGE_ALLOWED,
    LEAKAGE_WARNING,
    SIDES,
    TEST,
    TRAIN,
    VALID,
)

__all__ = [
    "LEAKAGE",
    "LEAKAGE_ALLOWED",
    "LEAKAGE_WARNING",
    "SIDES",
    "SPLIT_COLUMNS",
    "TEST",
    "TRAIN",
    "VALID",
    "SplitOptions",
    "assign_folds",
    "assign_split",
    "carve_validation",
    "folds_table",
    "leaking_shares",
    "leaking_shares_of_folds",
    "official_split",
    "parse_folds",
    "parse_split",
    "ratio_split",
    "read_folds",
    "read_split",
    "require_no_leak",
    "settled_sides",
    "split_is_leaky",
    "split_table",
]
