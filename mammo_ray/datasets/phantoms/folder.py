"""The folder of a phantom: it appears whole or not at all, its truth beside it."""

import csv
import io
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mammo_ray import storage
from mammo_ray.errors import InputError, StorageError


@dataclass(frozen=True)
class PhantomRequest:
    """What to make.

    Attributes:
        rows: how many images (CBIS-DDSM: rows of the case tables, each a lesion).
        seed: of every random draw, at least 0; the same request gives the same bytes.
        tables: folder of a data set's real tables, whose rows and file names are then used.
        swapped: rows whose files are interchanged, where the layout knows that trap.
        cancer_share: share of women with a cancer, 0 to 1.
        processes: at most so many processes draw; they change no byte.

    Raises:
        InputError: a number out of range.
    """

    rows: int
    seed: int = 0
    tables: Path | None = None
    swapped: int = 0
    cancer_share: float = 0.25
    processes: int = 2

    def __post_init__(self) -> None:
        if self.rows < 1:
            raise InputError(f"a phantom has at least 1 row, not {self.rows}")
        if self.seed < 0:
            raise InputError(f"a seed is at least 0, not {self.seed}")
        if not 0 <= self.cancer_share <= 1:
            raise InputError(f"the share of cancers lies in 0 to 1, not {self.cancer_share}")


@dataclass(frozen=True)
class PhantomCounts:
    """What was made."""

    images: int
    women: int


def truth_path(out: Path) -> Path:
    """Where the truth of a phantom lies: beside its folder, so that no reader can see it."""
    return out.with_name(f"{out.name}.truth.csv")


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """A temporary folder that takes the place of `out` at the end, and goes away on an error.

    Raises:
        InputError: `out` is there and not an empty folder.
        StorageError: the disk refused a file.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out} is not an empty folder; a phantom needs one of its own")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".tmp", dir=out.parent))
    except OSError as error:
        raise StorageError(f"the phantom's folder cannot be made: {error.strerror}") from error
    try:
        yield folder
        folder.chmod(0o755)
        folder.replace(out)  # takes the place of an empty folder
    except OSError as error:
        raise StorageError(f"the phantom could not be written: {error.strerror}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[object]], separator: str = ",") -> str:
    """A CSV table as text."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n", delimiter=separator)
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()


def write_truth(out: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Put the truth of a phantom beside its folder."""
    storage.write_text(str(truth_path(out)), csv_text(columns, rows))
