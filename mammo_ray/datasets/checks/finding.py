"""One answer of a check, and all of them as a table for people."""

import textwrap
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, SupportsInt

import numpy as np
import numpy.typing as npt
import pandas as pd

_MOST_EXAMPLES = 5
_WIDTH = 100


class Severity(StrEnum):
    """A finding misleads whoever trains or measures on the data; a note is good to know."""

    FINDING = "finding"
    NOTE = "note"


class Check(StrEnum):
    """Everything that is looked for."""

    REPEATED_IMAGES = "repeated-images"
    UNKNOWN_PATIENTS = "unknown-patients"
    SHARED_WOMEN = "women-on-several-sides"
    SHARED_FILMS = "films-on-several-sides"
    ONE_CLASS_SIDE = "side-of-one-class"
    CLASS_BALANCE = "class-balance"
    CONTRADICTING_FILMS = "contradicting-films"
    CONTRADICTING_BREASTS = "contradicting-breasts"
    DISAGREEING_VIEWS = "disagreeing-views"
    READING_AS_LABEL = "reading-as-label"
    UNLABELLED = "unlabelled"
    MIXED = "mixed-kinds"
    LESIONS_WITHOUT_OUTLINE = "lesions-without-outline"
    ORPHAN_CROPS = "crops-without-film"
    MISSING_VIEWS = "missing-views"
    UNKNOWN_VIEWS = "unknown-views"
    READING_AS_INPUT = "reading-as-input"
    FOLLOWS_READING = "columns-after-reading"
    LABEL_GIVEN_AWAY = "label-given-away"
    SITE_AND_LABEL = "site-and-label"
    MACHINE_AND_LABEL = "machine-and-label"
    UNREADABLE_IMAGES = "unreadable-images"
    UNREADABLE_MASKS = "unreadable-masks"
    BLANK_IMAGES = "blank-images"
    DUPLICATES_ACROSS_SIDES = "duplicates-across-sides"
    DUPLICATES_ACROSS_WOMEN = "duplicates-across-women"
    DUPLICATES = "duplicates"
    COPIES_ACROSS_SIDES = "moved-copies-across-sides"
    COPIES = "moved-copies"
    CONTRADICTING_PIXELS = "contradicting-pixels"
    EMPTY_MASKS = "empty-masks"
    MASK_ASPECT = "mask-aspect"
    MASK_SIZE = "mask-size"


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        check: which.
        severity: whether it is a finding (exit code 4) or a note.
        count: how many women, films, images, masks or columns are concerned; `detail` says what
            is counted.
        detail: one or two sentences; no patient identifier.
        examples: up to five image ids.
    """

    check: Check
    severity: Severity
    count: int
    detail: str
    examples: tuple[str, ...] = ()

    def to_tree(self) -> dict[str, Any]:
        """The finding for JSON."""
        return {
            "check": str(self.check),
            "severity": str(self.severity),
            "count": self.count,
            "detail": self.detail,
            "examples": list(self.examples),
        }


def found(check: Check, count: SupportsInt, detail: str, examples: tuple[str, ...] = ()) -> Finding:
    """A finding."""
    return Finding(check, Severity.FINDING, int(count), detail, examples)


def noted(check: Check, count: SupportsInt, detail: str, examples: tuple[str, ...] = ()) -> Finding:
    """A note."""
    return Finding(check, Severity.NOTE, int(count), detail, examples)


def examples_of(frame: pd.DataFrame, rows: npt.NDArray[np.bool_] | pd.Series) -> tuple[str, ...]:
    """The first image ids, in their order, of the chosen rows."""
    ids = frame["image_id"].to_numpy()[np.asarray(rows, dtype=bool)]
    return tuple(sorted(map(str, set(ids)))[:_MOST_EXAMPLES])


def is_finding(answer: Finding) -> bool:
    """Whether an answer makes `mammo check` end with exit code 4."""
    return answer.severity == Severity.FINDING


def table_of(answers: list[Finding], counts: dict[str, int]) -> str:
    """The answers for people: a headline, then one line a check, findings first.

    Args:
        answers: of every check that had something to say.
        counts: `images` and `women` of the manifest, and `decoded` images.
    """
    findings = sum(map(is_finding, answers))
    looked = f"{counts['decoded']:,} decoded" if counts.get("decoded") else "pixels not looked at"
    headline = (
        f"{findings} findings and {len(answers) - findings} notes on {counts['images']:,} images "
        f"of {counts['women']:,} women ({looked})"
    )
    lines = [headline]
    wide = max((len(answer.check) for answer in answers), default=0)
    for answer in sorted(answers, key=lambda one: not is_finding(one)):
        head = f"{answer.severity!s:<8} {answer.check!s:<{wide}} {answer.count:>9,}  "
        body = textwrap.wrap(answer.detail, max(30, _WIDTH - len(head)))
        lines.append(head + ("\n" + " " * len(head)).join(body))
    return "\n".join(lines)
