"""The phantom of every layout."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from mammo_ray.datasets.phantoms.archive import write_archive_phantom
from mammo_ray.datasets.phantoms.cbis_ddsm import write_cbis_ddsm_phantom
from mammo_ray.datasets.phantoms.cbis_ddsm_kaggle import write_cbis_ddsm_kaggle_phantom
from mammo_ray.datasets.phantoms.folder import PhantomCounts, PhantomRequest
from mammo_ray.datasets.phantoms.folders import write_folders_phantom
from mammo_ray.datasets.phantoms.inbreast import write_inbreast_phantom
from mammo_ray.datasets.phantoms.mini_mias import write_mini_mias_phantom
from mammo_ray.datasets.phantoms.pairs import write_pairs_phantom
from mammo_ray.datasets.phantoms.rsna import write_rsna_phantom
from mammo_ray.datasets.phantoms.vindr import write_vindr_phantom
from mammo_ray.schema import Layout

_WRITERS: Final[dict[Layout, Callable[[Path, PhantomRequest], PhantomCounts]]] = {
    Layout.ARCHIVE: write_archive_phantom,
    Layout.CBIS_DDSM: write_cbis_ddsm_phantom,
    Layout.CBIS_DDSM_KAGGLE: write_cbis_ddsm_kaggle_phantom,
    Layout.FOLDERS: write_folders_phantom,
    Layout.INBREAST: write_inbreast_phantom,
    Layout.MINI_MIAS: write_mini_mias_phantom,
    Layout.PAIRS: write_pairs_phantom,
    Layout.RSNA: write_rsna_phantom,
    Layout.VINDR: write_vindr_phantom,
}


def write_phantom(layout: Layout, out: Path, request: PhantomRequest) -> PhantomCounts:
    """A synthetic data set of a layout in the folder `out`, its truth beside the folder.

    Raises:
        InputError: `out` holds something, or the request cannot be met.
        StorageError: the disk refused a file; nothing is left under `out`.
    """
    return _WRITERS[layout](out, request)
