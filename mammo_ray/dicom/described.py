"""Free text of a header, searched for whole words; what is said of a find quotes only the words."""

import re
from collections.abc import Iterable

from mammo_ray.dicom.elements import Elements, name_of


def words_pattern(*phrases: str) -> re.Pattern[str]:
    """A pattern for any of the phrases (regular expressions, upper case) as whole words."""
    return re.compile(rf"\b(?:{'|'.join(phrases)})\b")


def find_words(elements: Elements, keywords: Iterable[str], pattern: re.Pattern[str]) -> str | None:
    """The first element whose text holds the pattern, and the words; None where none does.

    Args:
        elements: of one header.
        keywords: the elements to look into, in this order.
        pattern: from `words_pattern`; case and punctuation of the text do not count.
    """
    for keyword in keywords:
        for text in elements.texts(keyword):
            found = pattern.search(plain_words(text))
            if found:
                return f"{name_of(keyword)} says {found[0]!r}"
    return None


def plain_words(text: str) -> str:
    """A text in capitals, its punctuation turned into single spaces: `C-View_2` is `C VIEW 2`."""
    return re.sub(r"[\W_]+", " ", text.upper()).strip()
