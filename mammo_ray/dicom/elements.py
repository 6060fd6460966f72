"""Values of single data elements, cleaned; what cannot be read is None and noted."""

import math
from collections.abc import Callable
from enum import StrEnum
from typing import TypeVar

from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from mammo_ray.dicom.parsing import PARSE_ERRORS, quiet_pydicom, tag_text

Word = TypeVar("Word", bound=StrEnum)
Value = TypeVar("Value")


def name_of(keyword: str) -> str:
    """Keyword and tag for messages: `Rows (0028,0010)`."""
    return f"{keyword} {tag_text(tag_for_keyword(keyword) or 0)}"


class Elements:
    """Reads elements of one dataset by keyword and collects notes on the unreadable ones."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self.notes: list[str] = []

    def text(self, keyword: str) -> str | None:
        r"""Text without padding; several values joined by `\`; None when absent or empty."""
        return "\\".join(self.texts(keyword)).strip("\\ ") or None

    def texts(self, keyword: str) -> list[str]:
        """The values of an element as cleaned text."""
        return self._converted(keyword, lambda value: str(value).strip(" \0\r\n\t"))

    def numbers(self, keyword: str) -> list[float]:
        """The values of an element as finite numbers; empty when any is not one."""
        numbers = self._converted(keyword, lambda value: float(str(value)))
        if all(map(math.isfinite, numbers)):
            return numbers
        self.notes.append(f"{name_of(keyword)} is not finite")
        return []

    def number(self, keyword: str) -> float | None:
        """The first value as a finite number."""
        return next(iter(self.numbers(keyword)), None)

    def integer(self, keyword: str) -> int | None:
        """The first value as an integer."""
        number = self.number(keyword)
        if number is None or number != int(number):
            return None
        return int(number)

    def integers(self, keyword: str) -> list[int]:
        """The values of an element as integers."""
        return self._converted(keyword, lambda value: int(str(value)))

    def word(self, keyword: str, vocabulary: type[Word]) -> Word | None:
        """The value as a member of a vocabulary; anything else is noted, with its text."""
        text = self.text(keyword)
        if text is None:
            return None
        try:
            return vocabulary(text.upper())
        except ValueError:
            self.notes.append(f"{name_of(keyword)} is {text[:32]!r}, outside the vocabulary")
            return None

    def items(self, keyword: str) -> list["Elements"]:
        """The items of a sequence; their notes join this dataset's."""
        found = []
        for item in self._values(keyword):
            if isinstance(item, Dataset):
                child = Elements(item)
                child.notes = self.notes
                found.append(child)
        return found

    def raw_bytes(self, keyword: str) -> bytes | None:
        """The value of an element of bytes."""
        values = self._values(keyword)
        return values[0] if len(values) == 1 and isinstance(values[0], bytes) else None

    @property
    def is_big_endian(self) -> bool:
        """Whether words among bytes have their high byte first."""
        return self._dataset.original_encoding[1] is False

    def _converted(self, keyword: str, convert: Callable[[object], Value]) -> list[Value]:
        values = [value for value in self._values(keyword) if value is not None and value != ""]
        try:
            return [convert(value) for value in values]
        except PARSE_ERRORS as error:
            self.notes.append(f"{name_of(keyword)} cannot be read: {type(error).__name__}")
            return []

    def _values(self, keyword: str) -> list[object]:
        try:
            with quiet_pydicom():
                value = self._dataset.get(keyword)
        except PARSE_ERRORS as error:
            self.notes.append(f"{name_of(keyword)} cannot be read: {type(error).__name__}")
            return []
        if value is None:
            return []
        is_many = isinstance(value, (MultiValue, list)) or hasattr(value, "is_undefined_length")
        return list(value) if is_many else [value]
