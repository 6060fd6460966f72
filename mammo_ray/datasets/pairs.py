"""Layout `pairs`: images and masks, paired by their names.

::

    images/a.jpg  masks/a.png                 sibling folders (image, imgs; labels, annotations ...)
    train/images/a.png  train/masks/a.png     with splits, above or below (images/train/a.png)
    train/a.png  train_masks/a_mask.png
    a.png  a_mask.png  a_mask_1.png           suffixes in one folder, several masks an image
    a.png  mask_a.png

Words and folders that say mask are settings: `data.pairs.mask_suffixes`,
`data.pairs.mask_folders`. An example of the last form but one is BUSI.

- An image has the masks of its name, in the order of their numbers, as `mask_uris`; without any
  it is a row with `mask_uris` null. Where masks have folders, images in folders that hold neither
  pairs nor say `images` are left out (`not-in-layout`): previews, overlays.
- A mask whose image is not there, and everything that could be paired in two ways (a.png and
  a.jpg with one mask), is a rejection. An image whose mask cannot be read is rejected with it.
- `mask_values`, the gray values of class 1, 2 ..., are the same on every row: the distinct values
  but 0 of all masks. They are null (a pixel above half is class 1) where masks are JPEG files,
  whose values are not exact, or hold more gray values than classes can be.
- Nothing says who an image shows. `patient_id` is the file's name (groups of files, not women),
  unless `data.pairs.pattern` takes it from the path. Nothing says who has cancer either.
"""

from collections.abc import Iterable
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from mammo_ray.datasets.file_names import is_document, name_images
from mammo_ray.datasets.known_files import (
    LeftOut,
    exclude_rows,
    filled_manifest,
    keep_named,
    known_table,
    named_columns,
    reject_rows,
)
from mammo_ray.datasets.manifest import Manifest
from mammo_ray.datasets.pair_names import Pairs, pair_files
from mammo_ray.datasets.source import Look, Request, Source, seen_names
from mammo_ray.errors import InputError
from mammo_ray.schema import ExclusionRule, Kind, RejectionReason

# JPEG as a file, and JPEG Baseline and Extended in DICOM: stored values are not exact.
_LOSSY = pa.array(["image/jpeg", "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"])
_MOST_CLASSES = 31


class PairsReader:
    """Names pair the files; the pixels of every mask are looked at for its classes."""

    def __init__(self, source: Source) -> None:
        self._pattern = source.settings.pairs.pattern
        self._left_out = LeftOut(source)
        files = []
        for file in source.index.files:
            if is_document(file.relative_path):
                self._left_out.exclude(file, ExclusionRule.NOT_AN_IMAGE, "a document")
            else:
                files.append(file)
        pairs = pair_files(files, source.settings.pairs)
        _require_pairs(source, pairs)
        self._split = pairs.split
        self._leave_out(pairs)
        named = name_images(pairs.masks, self._pattern, "data.pairs.pattern")
        self._named = keep_named(named, self._left_out, "data.pairs.pattern")
        self._masks = {image.file: pairs.masks[image.file] for image in self._named}
        for image, masks in pairs.masks.items():
            for mask in masks if image not in self._masks else []:
                detail = "the mask of an image that is rejected"
                self._left_out.exclude(mask, ExclusionRule.MASK_OF_AN_IMAGE, detail)

    def requests(self) -> Iterable[Request]:
        """Every image, and every mask with its pixels."""
        for image, masks in self._masks.items():
            yield Request(image)
            yield from (Request(mask, Look.PIXELS) for mask in masks)

    def finish(self, examined: Manifest) -> Manifest:
        """The manifest."""
        owners = {mask.uri: image.uri for image, masks in self._masks.items() for mask in masks}
        is_mask = pc.is_in(examined.rows["uri"], value_set=_strings(owners))
        masks = examined.rows.filter(is_mask)
        manifest = exclude_rows(examined, is_mask, ExclusionRule.MASK_OF_AN_IMAGE, "a mask")
        manifest = _without_unread_masks(manifest, owners)
        lossy = masks["uri"].filter(pc.is_in(masks["transfer_syntax"], value_set=_LOSSY))
        inexact = {owners[uri] for uri in lossy.to_pylist()}
        known = self._known(_classes(masks), inexact)
        # A pattern was written for these files and goes before what their headers say.
        header_first = ("patient_id",) if self._pattern is None else ()
        return filled_manifest(manifest, known, self._left_out, header_first)

    def _leave_out(self, pairs: Pairs) -> None:
        for file in pairs.alone:
            detail = "the image that this mask belongs to is not there"
            self._left_out.reject(file, RejectionReason.MASK_WITHOUT_IMAGE, detail)
        for file in pairs.ambiguous:
            detail = "images and masks of this name can be paired in more than one way"
            self._left_out.reject(file, RejectionReason.AMBIGUOUS_FILE, detail)
        for file in pairs.outside:
            detail = "an image in a folder without masks"
            self._left_out.exclude(file, ExclusionRule.NOT_IN_LAYOUT, detail)

    def _known(self, classes: list[int] | None, inexact: set[str]) -> pa.Table:
        """What names and masks say of images, and whose masks the other files are."""
        files = [image.file for image in self._named]
        uris = [[mask.uri for mask in self._masks[file]] for file in files]
        images = known_table(
            {
                **named_columns(self._named),
                "kind": [str(Kind.FULL)] * len(files),
                "split": [self._split[file] for file in files],
                "mask_uris": [found or None for found in uris],
                "mask_values": [None if file.uri in inexact else classes for file in files],
            }
        )
        of_masks = [replace(n, file=mask) for n in self._named for mask in self._masks[n.file]]
        masks = known_table(named_columns(of_masks))
        return pa.concat_tables([images, masks], promote_options="default")


def _require_pairs(source: Source, pairs: Pairs) -> None:
    """Refuse a folder in which nothing is paired.

    Raises:
        InputError: no masks, or none that belongs to an image.
    """
    settings = source.settings.pairs
    if any(pairs.masks.values()) or pairs.ambiguous:
        return
    if pairs.alone:
        raise InputError(
            f"{len(pairs.alone)} masks were found, and none has the name of an image; expected "
            "images/a.png with masks/a.png, or a.png with a_mask.png"
        )
    raise InputError(
        f"images with masks were expected: a folder named {', '.join(settings.mask_folders)}, or "
        f"names that end in {', '.join(settings.mask_suffixes)}; seen: {seen_names(source)}"
    )


def _classes(masks: pa.Table) -> list[int] | None:
    """The gray values that mean something in the masks of a data set; None: they do not tell.

    Only exact files are asked; where one of them has more gray values than classes can be, edges
    are smooth and values are shares of a pixel.
    """
    exact = masks.filter(pc.invert(pc.is_in(masks["transfer_syntax"], value_set=_LOSSY)))
    if exact["gray_values"].null_count:
        return None
    values = sorted(set(pc.unique(pc.list_flatten(exact["gray_values"])).to_pylist()) - {0})
    return values if 0 < len(values) <= _MOST_CLASSES else None


def _without_unread_masks(manifest: Manifest, owners: dict[str, str]) -> Manifest:
    """The manifest with every image rejected that has a rejected mask, for the mask's reason."""
    faults: dict[str, set[str]] = {}
    for uri, reason in zip(
        *(manifest.rejections[n].to_pylist() for n in ("uri", "reason")), strict=True
    ):
        if uri in owners:
            faults.setdefault(reason, set()).add(owners[uri])
    for reason, images in faults.items():
        wrong = pc.is_in(manifest.rows["uri"], value_set=_strings(images))
        detail = "a mask of this image is rejected"
        manifest = reject_rows(manifest, wrong, RejectionReason(reason), detail)
    return manifest


def _strings(values: Iterable[str]) -> pa.Array:
    return pa.array(list(values), pa.string())
