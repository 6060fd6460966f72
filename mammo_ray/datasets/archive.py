"""Layout `archive`: any tree of DICOM files, known by their headers alone."""

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from mammo_ray.datasets.duplicates import settle_duplicates
from mammo_ray.datasets.manifest import Manifest
from mammo_ray.datasets.processing_twins import find_processing_twins
from mammo_ray.datasets.source import Request, Source
from mammo_ray.schema import EXCLUSIONS, MANIFEST, ExclusionRule, Kind


class ArchiveReader:
    """Every file is opened; headers say what it is, rules say whether it belongs."""

    def __init__(self, source: Source) -> None:
        self._files = source.index.files
        self._rules = source.settings.exclude

    def requests(self) -> Iterable[Request]:
        """Every file of the listing."""
        return map(Request, self._files)

    def finish(self, examined: Manifest) -> Manifest:
        """The manifest: duplicates settled, then FOR PROCESSING images beside their twins."""
        settled = settle_duplicates(examined)
        if self._rules.processing_twin:
            settled = _leave_out_twins(settled)
        rows = settled.rows.select(MANIFEST.names).cast(MANIFEST)
        place = rows.schema.get_field_index("kind")
        full = pa.repeat(pa.scalar(str(Kind.FULL), pa.string()), rows.num_rows)
        rows = rows.set_column(place, MANIFEST.field("kind"), full)
        return Manifest(rows, settled.exclusions, settled.rejections)


def _leave_out_twins(manifest: Manifest) -> Manifest:
    twins = find_processing_twins(manifest.rows)
    if not twins:
        return manifest
    left_out = pc.is_in(manifest.rows.column("image_id"), pa.array(list(twins), pa.string()))
    rows = manifest.rows.filter(left_out)
    said = {
        "rule": pa.repeat(str(ExclusionRule.PROCESSING_TWIN), rows.num_rows),
        "detail": pa.array([twins[i] for i in rows.column("image_id").to_pylist()], pa.string()),
    }
    columns = [said[name] if name in said else rows.column(name) for name in EXCLUSIONS.names]
    excluded = pa.table(columns, schema=EXCLUSIONS)
    return Manifest(
        manifest.rows.filter(pc.invert(left_out)),
        pa.concat_tables([manifest.exclusions, excluded]),
        manifest.rejections,
    )
