"""Annotations of an image carried to where its pixels went: one mask, nearest neighbour.

A mask is whole or absent: where one lesion's annotation cannot be used, the image has no mask and a
note that says so, for a lesion that is missing in a mask would be learned as healthy tissue.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import cv2
import numpy as np

from mammo_ray import storage
from mammo_ray.config import Config, DecodeConfig
from mammo_ray.dicom.sandbox import Sandbox
from mammo_ray.errors import ImageRejected
from mammo_ray.image_files.decode import decode_file
from mammo_ray.preprocess.geometry import Geometry, crop, flip, pad, resize_nearest
from mammo_ray.preprocess.mask_classes import MaskUnusable, classes_of
from mammo_ray.preprocess.outlines import Mask, Outline, OutlineInvalid, fill_outline
from mammo_ray.schema import OutlineForm

LEFT_OUT = "mask left out: "
_ASPECT_TOLERANCE = 0.01


@dataclass(frozen=True)
class Annotation:
    """What is drawn on one image; entry k of every tuple belongs to lesion k.

    Attributes:
        mask_uris: the mask file of every lesion, None where it has none.
        mask_values: gray values of the mask files that mean class 1, 2 ...; None: see
            `mask_classes.classes_of`.
        outlines: the outline of every lesion, None where it has none; it counts for a lesion
            without a mask file, as class 1.
    """

    mask_uris: tuple[str | None, ...] = ()
    mask_values: tuple[int, ...] | None = None
    outlines: tuple[Outline | None, ...] = ()

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> Self:
        """What a row of `schema.MANIFEST` says is drawn on its image."""
        values = row["mask_values"]
        return cls(
            mask_uris=tuple(row["mask_uris"] if row["mask_uris"] is not None else ()),
            mask_values=None if values is None else tuple(values),
            outlines=tuple(
                drawn
                and Outline(OutlineForm(drawn["form"]), tuple(drawn["points"]), drawn["radius"])
                for drawn in (row["outlines"] if row["outlines"] is not None else ())
            ),
        )

    @property
    def lesions(self) -> int:
        """How many lesions the annotation speaks of."""
        return max(len(self.mask_uris), len(self.outlines))


@dataclass(frozen=True)
class CarriedMask:
    """A mask beside the prepared pixels.

    Attributes:
        mask: (height, width) uint8, 0 background, k class k; None where there is none.
        notes: what was accepted, or what was left out and why.
    """

    mask: Mask | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Frame:
    """Where a mask goes: the geometry of its image and the size of the prepared frame."""

    geometry: Geometry
    height: int
    width: int

    def carry(self, mask: Mask) -> Mask:
        """A mask in source pixels, cropped, resized, mirrored and padded as its image was."""
        geometry = self.geometry
        placement = geometry.placement
        carried = resize_nearest(crop(mask, geometry.box), placement)
        if geometry.flipped:
            carried = flip(carried)
        return pad(carried, placement, self.height, self.width)


def carry_annotation(
    annotation: Annotation, frame: Frame, config: Config, sandbox: Sandbox | None
) -> CarriedMask:
    """The annotations of one image as one mask; of lesions that overlap the higher class wins.

    Args:
        annotation: what is drawn on the image.
        frame: where its pixels went.
        config: section `decode` is used.
        sandbox: where mask files are read and decoded; None does it in this process.

    Raises:
        StorageError: reading failed.
    """
    drawn = [k for k in range(annotation.lesions) if any(_drawing_of(annotation, k))]
    if not drawn:
        return CarriedMask(None)
    merged: Mask = np.zeros((frame.height, frame.width), np.uint8)
    notes: list[str] = []
    for lesion in range(annotation.lesions):
        carried = _carry_lesion(annotation, lesion, frame, config, sandbox)
        name = f"lesion {lesion + 1} of {annotation.lesions}"
        if carried.mask is None:
            return CarriedMask(None, (f"{LEFT_OUT}{name}: {'; '.join(carried.notes)}",))
        notes += [f"mask of {name}: {note}" for note in carried.notes]
        np.maximum(merged, carried.mask, out=merged)
    return CarriedMask(merged, tuple(notes))


def _drawing_of(annotation: Annotation, lesion: int) -> tuple[str | None, Outline | None]:
    """The mask file and the outline of one lesion."""
    uris, outlines = annotation.mask_uris, annotation.outlines
    return (
        uris[lesion] if lesion < len(uris) else None,
        outlines[lesion] if lesion < len(outlines) else None,
    )


def _carry_lesion(
    annotation: Annotation, lesion: int, frame: Frame, config: Config, sandbox: Sandbox | None
) -> CarriedMask:
    uri, outline = _drawing_of(annotation, lesion)
    if uri is None:
        return _carry_outline(outline, frame)
    work = partial(
        carry_mask_file, values=annotation.mask_values, frame=frame, config=config.decode
    )
    try:
        if sandbox is not None:
            return sandbox.run(uri, work, config.decode.timeout_seconds)
        return work(storage.read_bytes(uri))
    except (FileNotFoundError, PermissionError) as error:
        return CarriedMask(None, (f"its file cannot be read: {type(error).__name__}",))
    except ImageRejected as fault:
        return CarriedMask(None, (str(fault),))


def _carry_outline(outline: Outline | None, frame: Frame) -> CarriedMask:
    if outline is None:
        return CarriedMask(None, ("it has neither a mask nor an outline",))
    try:
        size = frame.geometry.source_rows, frame.geometry.source_columns
        return _kept(fill_outline(outline, *size), frame, ())
    except OutlineInvalid as error:
        return CarriedMask(None, (str(error),))


def carry_mask_file(
    content: bytes, values: tuple[int, ...] | None, frame: Frame, config: DecodeConfig
) -> CarriedMask:
    """The mask in the bytes of a file, carried; without a mask, the notes say why.

    Args:
        content: a DICOM or image file.
        values: gray values that mean class 1, 2 ...; None: see `mask_classes.classes_of`.
        frame: where the image's pixels went.
        config: limits of decoding.

    Raises:
        ImageRejected: the file does not give every pixel it promises.
    """
    image = decode_file(content, config)
    try:
        mask, notes = _registered(classes_of(image, values), frame.geometry)
    except MaskUnusable as error:
        return CarriedMask(None, (str(error),))
    return _kept(mask, frame, notes)


def _registered(mask: Mask, geometry: Geometry) -> tuple[Mask, tuple[str, ...]]:
    """The mask at the size of its image, stretched where only the scale differs.

    Raises:
        MaskUnusable: another aspect ratio: which part of the image it shows is not known.
    """
    rows, columns = geometry.source_rows, geometry.source_columns
    if mask.shape == (rows, columns):
        return mask, ()
    sizes = f"it is {mask.shape[0]} x {mask.shape[1]}, the image is {rows} x {columns}"
    if abs(mask.shape[0] * columns / (mask.shape[1] * rows) - 1) > _ASPECT_TOLERANCE:
        raise MaskUnusable(f"{sizes}: another aspect ratio")
    stretched = cv2.resize(mask, (columns, rows), interpolation=cv2.INTER_NEAREST_EXACT)
    return np.asarray(stretched), (f"{sizes}: stretched by nearest neighbour",)


def _kept(mask: Mask, frame: Frame, notes: tuple[str, ...]) -> CarriedMask:
    """The carried mask, with a note where a class did not survive the way."""
    carried = frame.carry(mask)
    drawn, left = set(np.unique(mask)) - {0}, set(np.unique(carried)) - {0}
    if not drawn:
        notes = (*notes, "it marks no pixel")
    if lost := sorted(map(int, drawn - left)):
        notes = (*notes, f"no pixel of class {lost} lies in the crop at this size")
    return CarriedMask(carried, notes)
