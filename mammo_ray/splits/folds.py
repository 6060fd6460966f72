"""Folds for cross-validation, balanced over label, site, breast density and number of images."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

from mammo_ray.errors import InputError
from mammo_ray.splits.groups import UNLABELLED, Groups, Integers, groups_of


def assign_folds(manifest: pd.DataFrame, n_splits: int = 5, seed: int = 0) -> Integers:
    """Fold number (0 to `n_splits` - 1) of every row, in row order.

    The numbers of women with cancer in two folds differ by at most one, and so do those of women
    without and of unlabelled women. Within that, folds are made alike in sites, breast densities
    (unknown is a site and a density of its own) and numbers of images.

    Women of a label are sorted by site, density and number of images and dealt out `n_splits` at
    a time, one to each fold. Who of them goes where is the assignment (Hungarian method) that
    keeps the folds most alike.

    Args:
        manifest: rows with `patient_id`, `cancer` (0, 1 or null) and, optionally, `film_id`,
            `site` and `density`.
        n_splits: number of folds, at least 2.
        seed: changes which women end up together.

    Returns:
        Integers, shape (rows,).

    Raises:
        InputError: fewer women with or without cancer than folds, a missing column or patient.
    """
    if n_splits < 2:
        raise InputError(f"n_splits must be at least 2, found {n_splits}")
    groups = groups_of(manifest, seed)
    fold_of_group = np.zeros(len(groups), dtype=np.int64)
    women, images = np.zeros(n_splits), np.zeros(n_splits)
    for stratum, chosen in groups.by_stratum():
        if stratum != UNLABELLED and len(chosen) < n_splits:
            raise InputError(
                f"{n_splits} folds need at least {n_splits} women {stratum}, found {len(chosen)}"
            )
        keys = (chosen, -groups.images[chosen], groups.density[chosen], groups.site[chosen])
        dealer = _Dealer.of(groups, women, images)
        ordered = chosen[np.lexsort(keys)]
        for start in range(0, len(ordered), n_splits):
            block = ordered[start : start + n_splits]
            fold_of_group[block] = dealer.deal(block)
    return fold_of_group[groups.of_row]


@dataclass(frozen=True)
class _Dealer:
    """What the folds hold so far: of one stratum by site and density, of all by women and images.

    Attributes:
        groups: who is dealt out.
        sites, densities: women of this stratum by site or density and fold.
        women, images: of every fold, over all strata.
    """

    groups: Groups
    sites: np.ndarray
    densities: np.ndarray
    women: np.ndarray
    images: np.ndarray

    @classmethod
    def of(cls, groups: Groups, women: np.ndarray, images: np.ndarray) -> "_Dealer":
        """A dealer that starts a stratum."""
        folds = len(women)
        sites, densities = (
            np.zeros((int(column.max()) + 1, folds)) for column in (groups.site, groups.density)
        )
        return cls(groups, sites, densities, women, images)

    def deal(self, block: Integers) -> Integers:
        """Folds, all different, of at most as many groups as there are folds."""
        site, density = self.groups.site[block], self.groups.density[block]
        size = self.groups.images[block].astype(np.float64)
        # One more woman in a fold that has n of her site adds 2n + 1 to the sum of squares.
        counts = self.sites[site] + self.densities[density] + self.women
        spread = self.images - self.images.min()
        # Images only decide between assignments that are equal in women: together below one half.
        weight = 2 * len(block) * size.max() * (spread.max() + 1)
        _, fold = linear_sum_assignment(counts + np.outer(size, spread) / weight)
        self.sites[site, fold] += 1
        self.densities[density, fold] += 1
        self.women[fold] += 1
        self.images[fold] += size
        return np.asarray(fold, dtype=np.int64)
