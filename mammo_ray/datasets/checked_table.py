"""A published table, column by column in the words of the manifest, or refused by its line."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Self

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from mammo_ray.datasets.source import read_csv_table
from mammo_ray.errors import InputError
from mammo_ray.storage import StoredFile

# What may stand as one part of a path: no separator, no drive, no way up.
_SAFE_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
_FIRST_LINE = 2  # below the header
_SHOWN = 60  # characters of a value in an error message


@dataclass(frozen=True)
class CheckedTable:
    """A table of strings.

    Every method gives one Arrow array, a value a row, null where the field is empty.

    Attributes:
        name: of the file, for error messages.
        frame: the strings.
    """

    name: str
    frame: pd.DataFrame

    @classmethod
    def read(cls, file: StoredFile, required: Sequence[str], separator: str = ",") -> Self:
        """The table of a CSV file.

        Raises:
            InputError: as `source.read_csv_table`.
        """
        frame = read_csv_table(file, required, separator)
        return cls(PurePosixPath(file.relative_path).name, frame)

    def __len__(self) -> int:
        return len(self.frame)

    def texts(self, column: str) -> pa.Array:
        """The column as it stands, white space around it dropped."""
        if column not in self.frame:
            return pa.nulls(len(self), pa.string())
        text = pc.utf8_trim_whitespace(self._strings(column))
        return pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)

    def required(self, column: str) -> pa.Array:
        """The column, which may not be empty anywhere.

        Raises:
            InputError: it is; the line is named.
        """
        text = self.texts(column)
        if text.null_count:
            self.refuse(_first(pc.is_null(text)), column, "a value")
        return text

    def names(self, column: str) -> pa.Array:
        """The column, every value of which can be one part of a path below the root.

        Raises:
            InputError: one is empty, or holds a separator or the like; line and value are named.
        """
        text = self.required(column)
        safe = pc.match_substring_regex(text, _SAFE_NAME)
        if not pc.all(safe).as_py():
            self.refuse(_first(pc.invert(safe)), column, "a name without separators")
        return text

    def unique(self, column: str) -> pa.Array:
        """Names as in `names`, each at most once.

        Raises:
            InputError: one stands twice; both lines are named.
        """
        text = self.names(column)
        again = self.frame[column].str.strip().duplicated()
        if again.any():
            row = int(again.to_numpy().argmax())
            value = text[row].as_py()
            first = pc.index(text, value).as_py() + _FIRST_LINE
            self.refuse(row, column, f"a value of its own; line {first} has the same")
        return text

    def words(
        self,
        column: str,
        meaning: Mapping[str, object] | Callable[[str], object],
        kind: pa.DataType | None = None,
        *,
        required: bool = False,
    ) -> pa.Array:
        """What the words of a column mean; each different word is looked up once.

        Args:
            column: its name; one that is not there is empty in every row.
            meaning: word -> value, or a function that raises KeyError for an unknown word.
            kind: type of the result; text by default.
            required: an empty field is refused.

        Raises:
            InputError: a word without a meaning; line and value are named.
        """
        encoded = (self.required(column) if required else self.texts(column)).dictionary_encode()
        values = []
        for word in encoded.dictionary.to_pylist():
            try:
                values.append(meaning(word) if callable(meaning) else meaning[word])
            except KeyError:
                known = "a known word" if callable(meaning) else f"one of {sorted(meaning)}"
                self.refuse(_first(pc.equal(self.texts(column), word)), column, known)
        return pa.array(values, kind or pa.string()).take(encoded.indices)

    def numbers(self, column: str, lowest: float, highest: float) -> pa.Array:
        """The column as double precision numbers.

        Raises:
            InputError: a field is no number or out of range; line and value are named.
        """
        text = self.texts(column)
        number = pd.to_numeric(text.to_pandas(), errors="coerce").to_numpy("float64")
        array = pa.array(number, from_pandas=True)
        inside = pc.and_(pc.greater_equal(array, lowest), pc.less_equal(array, highest))
        wrong = pc.and_(pc.is_valid(text), pc.invert(pc.fill_null(inside, False)))
        if pc.any(wrong).as_py():
            self.refuse(_first(wrong), column, f"a number from {lowest:g} to {highest:g}")
        return array

    def refuse(self, row: int, column: str, expected: str) -> None:
        """Refuse the table for one field.

        Raises:
            InputError: always; names table, line, column and value.
        """
        value = str(self.frame[column].iloc[row])[:_SHOWN]
        raise InputError(
            f"{self.name} line {row + _FIRST_LINE}: {column} is {value!r}, expected {expected}"
        )

    def _strings(self, column: str) -> pa.Array:
        array = pa.array(self.frame[column], pa.string())
        return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def assessment_of(word: str) -> str:
    """The category in `BI-RADS 4`, as text.

    Raises:
        KeyError: it is not of that form.
    """
    found = re.fullmatch(r"BI-RADS ([0-6])", word, re.IGNORECASE)
    if found is None:
        raise KeyError(word)
    return found[1]


def _first(flags: pa.Array) -> int:
    return int(pc.index(flags, True).as_py())
