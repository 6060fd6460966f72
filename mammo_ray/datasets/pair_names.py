"""Which files of a listing are masks, and which image each belongs to, from names alone.

Two files belong together when their keys are equal: the folders without the one that says `masks`
or `images`, and the stem without the word that says mask.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from mammo_ray.config import PairsConfig
from mammo_ray.datasets.file_names import split_of, stem_of
from mammo_ray.storage import StoredFile

_IMAGE_WORDS = {"image", "images", "img", "imgs", "input", "inputs"}
_SEPARATORS = re.compile(r"[_\-. ]+")
_NUMBER = r"(?:[_\-. ]?\(?(?P<number>[0-9]+)\)?)?"

Key = tuple[tuple[str, ...], str]


@dataclass(frozen=True)
class Folder:
    """What the folders above a file say.

    Attributes:
        names: from the root down.
        key: the same without the words that say mask or image.
        mask_at: place of the last one that says mask; None: none does.
        split: the one split that they name: train, valid, test or None.
    """

    names: tuple[str, ...]
    key: tuple[str, ...]
    mask_at: int | None
    split: str | None


@dataclass(frozen=True)
class MaskFile:
    """A file that is a mask by its name.

    Attributes:
        file: the file.
        keys: keys of the image it may belong to, the likeliest first.
        number: of the mask among those of its image; 0 where its name has none.
        folder: where it lies.
    """

    file: StoredFile
    keys: tuple[Key, ...]
    number: int
    folder: Folder


@dataclass
class Pairs:
    """Images with their masks.

    Attributes:
        masks: the masks of every image that is kept, in their order; empty where it has none.
        alone: masks whose image is not there.
        ambiguous: images and masks that could belong together in several ways.
        outside: images in folders that have nothing to do with masks.
        split: of every image that is kept: train, valid, test or None.
    """

    masks: dict[StoredFile, list[StoredFile]] = field(default_factory=dict)
    alone: list[StoredFile] = field(default_factory=list)
    ambiguous: list[StoredFile] = field(default_factory=list)
    outside: list[StoredFile] = field(default_factory=list)
    split: dict[StoredFile, str | None] = field(default_factory=dict)


class NameRules:
    """What folder and file names mean."""

    def __init__(self, settings: PairsConfig) -> None:
        words = sorted((re.escape(word) for word in settings.mask_suffixes), key=len, reverse=True)
        either = "|".join(words)
        self._after = re.compile(rf"(?P<stem>.+?)[_\-. ](?:{either}){_NUMBER}", re.IGNORECASE)
        self._before = re.compile(rf"(?:{either})[_\-. ](?P<stem>.+)", re.IGNORECASE)
        self._mask_folders = {name.lower() for name in settings.mask_folders}
        self._known: dict[str, Folder] = {}

    def folder(self, file: StoredFile) -> Folder:
        """What the folders of a file say; worked out once for each."""
        path = file.relative_path.rpartition("/")[0]
        if path not in self._known:
            names = tuple(path.split("/")) if path else ()
            found = [k for k, name in enumerate(names) if self._says_mask(name)]
            at = found[-1] if found else None
            self._known[path] = Folder(names, self._key(names), at, _split(names))
        return self._known[path]

    def mask_stem(self, stem: str) -> tuple[str, int] | None:
        """Stem of the image and number of the mask, where a stem says mask."""
        after = self._after.fullmatch(stem)
        if after:
            return after["stem"], int(after["number"] or 0)
        before = self._before.fullmatch(stem)
        return (before["stem"], 0) if before else None

    def _key(self, names: Sequence[str]) -> tuple[str, ...]:
        """Folders without the words that say mask or image."""
        kept: list[str] = []
        for name in names:
            if self._says_mask(name) or _says_image(name):
                kept.extend(word for word in _words(name) if split_of(word))
            else:
                kept.append(name.lower())
        return tuple(kept)

    def _says_mask(self, name: str) -> bool:
        """`masks`, or words such as `train_masks` of which one says mask and no other more."""
        if name.lower() in self._mask_folders:
            return True
        words = _words(name)
        return any(word in self._mask_folders for word in words) and all(
            word in self._mask_folders or word in _IMAGE_WORDS or split_of(word) for word in words
        )


def pair_files(files: Iterable[StoredFile], settings: PairsConfig) -> Pairs:
    """Every file as an image with its masks, or among those that cannot be paired."""
    rules = NameRules(settings)
    masks, images = _sort(list(files), rules)
    by_key: defaultdict[Key, list[StoredFile]] = defaultdict(list)
    for image in images:
        by_key[_image_key(image, rules)].append(image)
    unpaired = [mask for mask in masks if not any(key in by_key for key in mask.keys)]
    siblings = _sibling_index(images, unpaired, rules)
    pairs = Pairs()
    found: defaultdict[StoredFile, list[MaskFile]] = defaultdict(list)
    twins: set[StoredFile] = set()
    for mask in masks:
        owners = _owners(mask, by_key, siblings)
        if len(owners) == 1:
            found[owners[0]].append(mask)
        elif owners:
            pairs.ambiguous.append(mask.file)
            twins.update(owners)
        else:
            pairs.alone.append(mask.file)
    _settle(pairs, images, found, twins)
    _set_aside_outsiders(pairs, masks, rules)
    pairs.split = {image: rules.folder(image).split for image in pairs.masks}
    return pairs


def _sort(files: list[StoredFile], rules: NameRules) -> tuple[list[MaskFile], list[StoredFile]]:
    """Masks and images; a stem that says mask does not where a folder holds the mask of it."""
    masks: list[MaskFile] = []
    others: list[StoredFile] = []
    for file in files:
        if rules.folder(file).mask_at is None:
            others.append(file)
        else:
            masks.append(_mask_in_folder(file, rules))
    in_folders = {key for mask in masks for key in mask.keys}
    images = []
    for file in others:
        place, stem = _image_key(file, rules)
        short = rules.mask_stem(stem)
        if short is None or (place, stem) in in_folders:
            images.append(file)
        else:
            masks.append(MaskFile(file, ((place, short[0]),), short[1], rules.folder(file)))
    return masks, images


def _mask_in_folder(file: StoredFile, rules: NameRules) -> MaskFile:
    """A mask by its folder: its image has the same stem, or the one before the word mask."""
    place, stem = _image_key(file, rules)
    short = rules.mask_stem(stem)
    keys = ((place, stem),) if short is None else ((place, stem), (place, short[0]))
    return MaskFile(file, keys, short[1] if short else 0, rules.folder(file))


def _owners(
    mask: MaskFile,
    by_key: dict[Key, list[StoredFile]],
    siblings: dict[tuple[int, Key], list[StoredFile]],
) -> list[StoredFile]:
    """The images that a mask may belong to: by its keys, else in any folder beside its own."""
    for key in mask.keys:
        if key in by_key:
            return by_key[key]
    at = mask.folder.mask_at
    if at is not None:
        around = _around(mask.folder, at)
        for _, stem in mask.keys:
            if (at, (around, stem)) in siblings:
                return siblings[at, (around, stem)]
    return []


def _sibling_index(
    images: list[StoredFile], masks: list[MaskFile], rules: NameRules
) -> dict[tuple[int, Key], list[StoredFile]]:
    """Images by the folders around one of theirs, for each depth at which masks have a folder.

    Only masks that no key pairs need it.
    """
    depths = {mask.folder.mask_at for mask in masks if mask.folder.mask_at is not None}
    found: defaultdict[tuple[int, Key], list[StoredFile]] = defaultdict(list)
    for image in images if depths else []:
        folder, stem = rules.folder(image), stem_of(image.relative_path)
        for at in depths:
            if at < len(folder.names):
                found[at, (_around(folder, at), stem)].append(image)
    return found


def _around(folder: Folder, at: int) -> tuple[str, ...]:
    """Folders without the one at this place."""
    return (*folder.names[:at], *folder.names[at + 1 :])


def _settle(
    pairs: Pairs,
    images: list[StoredFile],
    found: dict[StoredFile, list[MaskFile]],
    twins: set[StoredFile],
) -> None:
    """Give every image its masks in order; one with two masks of one name is ambiguous."""
    for image in images:
        masks = found.get(image, [])
        names = [(mask.folder.names, stem_of(mask.file.relative_path)) for mask in masks]
        if image in twins or len(set(names)) < len(names):
            pairs.ambiguous.extend([image, *(mask.file for mask in masks)])
        else:
            ordered = sorted(masks, key=lambda mask: (mask.number, mask.file))
            pairs.masks[image] = [mask.file for mask in ordered]


def _set_aside_outsiders(pairs: Pairs, masks: list[MaskFile], rules: NameRules) -> None:
    """Where masks have folders, images elsewhere are previews and the like."""
    if all(mask.folder.mask_at is None for mask in masks):
        return
    paired = {rules.folder(image).names for image, found in pairs.masks.items() if found}
    for image in list(pairs.masks):
        names = rules.folder(image).names
        belongs = any(map(_says_image, names)) or bool(names and split_of(names[-1]))
        if names not in paired and not belongs:
            pairs.outside.append(image)
            del pairs.masks[image]


def _image_key(file: StoredFile, rules: NameRules) -> Key:
    return rules.folder(file).key, stem_of(file.relative_path)


def _words(name: str) -> list[str]:
    return [word for word in _SEPARATORS.split(name.lower()) if word]


def _says_image(name: str) -> bool:
    """`images`, or words such as `train_images` of which one says image and no other more."""
    words = _words(name)
    return any(word in _IMAGE_WORDS for word in words) and all(
        word in _IMAGE_WORDS or split_of(word) for word in words
    )


def _split(names: Sequence[str]) -> str | None:
    """The one split that folders name, as whole names or else as words of them."""
    for words in (names, [word for name in names for word in _words(name)]):
        named = {split for word in words if (split := split_of(word))}
        if named:
            return named.pop() if len(named) == 1 else None
    return None
