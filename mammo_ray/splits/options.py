"""What a split is asked to be."""

from dataclasses import dataclass
from typing import Literal

from mammo_ray.errors import UsageError


@dataclass(frozen=True)
class SplitOptions:
    """How rows are divided; each kind of split reads what concerns it.

    Attributes:
        kind: `official` takes the data set's own sides, `ratio` divides by share, `folds` deals
            out folds for cross-validation.
        folds: number of folds, at least 2.
        include_test: fold the official test side too, which else stays in no fold.
        test_fraction: share of all women (or rows) on the held-out part, above 0 to below 1.
        validation_fraction: share of the part that validation is carved from, 0 to below 1;
            0 carves none.
        validation_from: `rest`: validation is a share of what is not held out; `test`: a share of
            the held-out part itself.
        shared: what becomes of women and films that an official split puts on two sides: an error,
            all their rows on one side, or none of them used.
        allow_leakage: divide rows instead of women, and mark the result.
        seed: changes who ends up together.

    Raises:
        UsageError: a value out of its range, or leakage asked of a kind that has none.
    """

    kind: Literal["official", "ratio", "folds"] = "ratio"
    folds: int = 5
    include_test: bool = False
    test_fraction: float = 0.2
    validation_fraction: float = 0.15
    validation_from: Literal["rest", "test"] = "rest"
    shared: Literal["refuse", "train", "test", "drop"] = "refuse"
    allow_leakage: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.test_fraction < 1:
            raise UsageError(
                f"the test fraction must be above 0 and below 1, found {self.test_fraction:g}"
            )
        if not 0 <= self.validation_fraction < 1:
            raise UsageError(
                "the validation fraction must be at least 0 and below 1, "
                f"found {self.validation_fraction:g}"
            )
        if self.folds < 2:
            raise UsageError(f"at least 2 folds are needed, found {self.folds}")
        if self.allow_leakage and self.kind != "ratio":
            raise UsageError(f"leakage can be allowed for a ratio split only, not for {self.kind}")

    @property
    def by(self) -> Literal["patient", "row"]:
        """What is divided: women with all their rows, or rows."""
        return "row" if self.allow_leakage else "patient"

    @property
    def fractions(self) -> dict[str, float]:
        """Shares of all women (or rows) on the sides `test` and `valid`, in dealing order."""
        held_out, share = self.test_fraction, self.validation_fraction
        if self.validation_from == "test":
            return {"test": held_out * (1 - share), "valid": held_out * share}
        return {"test": held_out, "valid": (1 - held_out) * share}
