"""From the bytes of a file to the array that a model sees; training and scoring share it."""

from dataclasses import dataclass, replace
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from mammo_ray import storage
from mammo_ray.config import Config
from mammo_ray.dicom.decode import DecodedImage
from mammo_ray.dicom.grayscale import GrayTable, apply_table, gray_table
from mammo_ray.dicom.sandbox import Sandbox
from mammo_ray.errors import ImageRejected
from mammo_ray.image_files.decode import decode_file
from mammo_ray.preprocess.breast import OVERVIEW, Breast, Side, find_breast
from mammo_ray.preprocess.geometry import (
    Box,
    Geometry,
    Gray,
    Placement,
    crop,
    flip,
    pad,
    place,
    resize,
)
from mammo_ray.preprocess.intensity import apply_clahe
from mammo_ray.preprocess.masks import Annotation, Frame, carry_annotation
from mammo_ray.preprocess.outlines import Mask
from mammo_ray.schema import Laterality, RejectionReason


@dataclass(frozen=True)
class PreparedImage:
    """One image as a model sees it, and how it came to be.

    Attributes:
        pixels: (height, width) uint8 or uint16, 0 black; padding is black.
        geometry: the way back to source pixels.
        decoder: name of the decoder.
        grayscale: modality, VOI and inversion that were used.
        breast_strategy: how the crop was found.
        blank: every stored pixel that is not padding has one value.
        sop_uid: SOP Instance UID of the file that was read, None where it has none.
        file_bytes: size of the file that was read.
        notes: oddities that were accepted, and why an annotation was left out.
        mask: (height, width) uint8, 0 background, k class k; None where nothing is drawn on the
            image or what is drawn cannot be used.
    """

    pixels: Gray
    geometry: Geometry
    decoder: str
    grayscale: str
    breast_strategy: str
    blank: bool
    sop_uid: str | None
    file_bytes: int
    notes: tuple[str, ...]
    mask: Mask | None = None


def prepare_file(
    uri: str,
    laterality: str | None,
    config: Config,
    sandbox: Sandbox | None,
    annotation: Annotation | None = None,
) -> PreparedImage:
    """Prepare one file, in the sandbox's child process or, without one, in this process.

    Args:
        uri: the file.
        laterality: from the manifest; decides the mirroring only where neither the picture nor
            Patient Orientation does.
        config: sections `decode` and `preprocess` are used.
        sandbox: where to do the work; None decodes here.
        annotation: what is drawn on the image; None leaves the mask out.

    Raises:
        ImageRejected: the image cannot be used; the file is missing or may not be read. A mask
            that cannot be used is a note.
        StorageError: reading failed.
    """
    image = _prepare_pixels(uri, laterality, config, sandbox)
    if annotation is None:
        return image
    frame = Frame(image.geometry, *image.pixels.shape)
    carried = carry_annotation(annotation, frame, config, sandbox)
    return replace(image, mask=carried.mask, notes=(*image.notes, *carried.notes))


def _prepare_pixels(
    uri: str, laterality: str | None, config: Config, sandbox: Sandbox | None
) -> PreparedImage:
    work = partial(prepare_image, laterality=laterality, config=config)
    try:
        if sandbox is not None:
            return sandbox.run(uri, work, config.decode.timeout_seconds)
        return work(storage.read_bytes(uri))
    except (FileNotFoundError, PermissionError) as error:
        raise ImageRejected(
            RejectionReason.UNREADABLE_FILE, f"the file cannot be read: {type(error).__name__}"
        ) from error


def prepare_image(content: bytes, laterality: str | None, config: Config) -> PreparedImage:
    """Prepare one image from the bytes of its file.

    The breast is searched on a small copy, and the gray table, the resizing and CLAHE then work on
    the crop alone. Their order changes pixels, so it is part of `PREPROCESS_VERSION`.

    Raises:
        ImageRejected: the image cannot be used.
    """
    settings = config.preprocess
    image, table, film, breast = _decoded(content, config)
    box = breast.box if settings.crop.enabled else film
    source_box = _in_source(box, image)

    placement = place(source_box, settings.height, settings.width, settings.resize)
    pixels = resize(apply_table(crop(image.stored, box), table), placement)
    if settings.crop.enabled and settings.crop.remove_artefacts:
        pixels = _without_artefacts(pixels, breast, film)
    flipped, notes = _mirroring(breast.side, image.chest_wall, laterality, settings.orient.enabled)
    if flipped:
        pixels = flip(pixels)
    if settings.clahe.enabled:
        pixels = apply_clahe(pixels, settings.clahe)
    pixels = pad(pixels, placement, settings.height, settings.width)

    return PreparedImage(
        pixels=pixels,
        geometry=_geometry(image.size, source_box, placement, flipped),
        decoder=image.decoder,
        grayscale=table.description,
        breast_strategy=breast.strategy if settings.crop.enabled else "none",
        blank=_is_blank(image),
        sop_uid=image.sop_uid,
        file_bytes=len(content),
        notes=(*image.notes, *notes),
    )


def _decoded(
    content: bytes, config: Config, most_levels: int = 32
) -> tuple[DecodedImage, GrayTable, Box, Breast]:
    """The image, its gray table, the film without its border, and the breast, in stored pixels.

    Where resolution levels may be left out, they are chosen for the whole film first; a crop that
    gets too few pixels that way is decoded again, at the resolution that it needs.
    """

    def leave_out(rows: int, columns: int) -> int:
        return min(most_levels, _levels_to_spare(Box(0, 0, rows, columns), config))

    image = decode_file(content, config.decode, leave_out)
    table = gray_table(image.grayscale, config.decode, config.preprocess.bits)
    film = _film_box(image.stored, config.preprocess.crop.border_fraction)
    breast = _find_breast(image, film, table, config)
    box = breast.box if config.preprocess.crop.enabled else film
    levels = _levels_to_spare(_in_source(box, image), config)
    if image.levels > levels:
        return _decoded(content, config, levels)
    return image, table, film, breast


def _levels_to_spare(box: Box, config: Config) -> int:
    """Halvings that leave a box in source pixels the configured multiple of its prepared size."""
    if config.decode.reduced == "none":
        return 0
    settings, multiple = config.preprocess, {"4x": 4, "2x": 2}[config.decode.reduced]
    placement = place(box, settings.height, settings.width, settings.resize)
    enough, levels = (multiple * placement.height, multiple * placement.width), 0
    while box.height >> (levels + 1) >= enough[0] and box.width >> (levels + 1) >= enough[1]:
        levels += 1
    return levels


def _in_source(box: Box, image: DecodedImage) -> Box:
    """A box of stored pixels in pixels of the file; blocks at the far edges may be cut."""
    block, (rows, columns) = 1 << image.levels, image.size
    top, left = box.top * block, box.left * block
    height, width = box.height * block, box.width * block
    return Box(top, left, min(height, rows - top), min(width, columns - left))


def _is_blank(image: DecodedImage) -> bool:
    """Whether every pixel that is not padding has one value."""
    stored, padding = image.stored, image.grayscale.padding
    if padding is None:
        return bool(stored.min() == stored.max())
    inside = cv2.bitwise_not(cv2.inRange(stored, *padding))
    lowest, highest, _, _ = cv2.minMaxLoc(stored, inside)
    return bool(lowest == highest)


def _film_box(stored: NDArray[np.integer], border_fraction: float) -> Box:
    """The image without the border that is always cut off."""
    rows, columns = stored.shape
    top, left = int(rows * border_fraction), int(columns * border_fraction)
    return Box(top, left, rows - 2 * top, columns - 2 * left)


def _find_breast(image: DecodedImage, film: Box, table: GrayTable, config: Config) -> Breast:
    """The breast in stored pixels, found on a strided copy in 8 bits."""
    if config.preprocess.bits != 8:
        table = gray_table(image.grayscale, config.decode, bits=8)
    stride = max(1, -(-max(film.height, film.width) // OVERVIEW))
    overview = apply_table(crop(image.stored, film)[::stride, ::stride], table).astype(np.uint8)
    margin = config.preprocess.crop.margin_fraction
    return find_breast(overview, margin).enlarged(stride, film)


def _without_artefacts(pixels: Gray, breast: Breast, film: Box) -> Gray:
    """The resized crop with labels and wedges off the breast in black."""
    if not breast.artefacts_small.any():
        return pixels
    box, mask = breast.box, breast.artefacts_small
    # The mask's pixel under the center of every pixel of the crop.
    row_centers = (np.arange(pixels.shape[0]) + 0.5) * box.height / pixels.shape[0]
    column_centers = (np.arange(pixels.shape[1]) + 0.5) * box.width / pixels.shape[1]
    rows = ((row_centers + box.top - film.top) / breast.stride).astype(int)
    columns = ((column_centers + box.left - film.left) / breast.stride).astype(int)
    rows, columns = rows.clip(0, mask.shape[0] - 1), columns.clip(0, mask.shape[1] - 1)
    cleaned: Gray = np.where(mask[np.ix_(rows, columns)], 0, pixels).astype(pixels.dtype)
    return cleaned


def _mirroring(
    side: Side | None, header_side: Side | None, laterality: str | None, enabled: bool
) -> tuple[bool, tuple[str, ...]]:
    """Whether to mirror so that the chest wall is on the left, and a note on a contradiction.

    The picture decides. Where it does not show the chest wall, Patient Orientation does; where that
    does not either, a right breast is taken to have it on the right, as displayed images do
    (PS3.3 C.8.11.7.1.3).
    """
    declared = laterality if laterality in (Laterality.LEFT, Laterality.RIGHT) else None
    notes: tuple[str, ...] = ()
    if side is not None and declared is not None and side != declared:
        notes = (f"the chest wall is on the picture's {side} side, the laterality is {declared}",)
    return enabled and (side or header_side or declared) == "R", notes


def _geometry(size: tuple[int, int], box: Box, placement: Placement, flipped: bool) -> Geometry:
    return Geometry(
        source_rows=size[0],
        source_columns=size[1],
        crop_top=box.top,
        crop_left=box.left,
        crop_height=box.height,
        crop_width=box.width,
        flipped=flipped,
        scale_y=placement.height / box.height,
        scale_x=placement.width / box.width,
        pad_top=placement.pad_top,
        pad_left=placement.pad_left,
    )
