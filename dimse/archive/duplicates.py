"""Whether two files hold one data set in two encodings: programs that pass an instance on convert it, or write it anew."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from dimse.data.datasets import DataSet
from dimse.data.elements import check_size
from dimse.data.headers import MAX_DEPTH
from dimse.data.sources import FileSource
from dimse.errors import DataError

if TYPE_CHECKING:
    from pydicom.dataset import Dataset
    from pydicom.tag import BaseTag

MAX_COMPARED: Final = 67_108_864
"""Bytes of an instance that is compared element by element with another encoding of it; a larger one counts as another."""
MAX_ELEMENTS_COMPARED: Final = 100_000
"""Elements of one, those in sequences included: each is an object then, of half a kilobyte."""
TRAILING_PADDING: Final = 0xFFFC_FFFC


def same_content(one: Path, other: Path) -> bool:
    """Whether two files hold the same data set, in different encodings perhaps; not where one of them cannot be read.

    An instance that comes again by another route is no other instance because of that.
    """
    try:
        sources = FileSource(one), FileSource(other)
    except (OSError, DataError):
        return False
    syntaxes = {source.transfer_syntax for source in sources}
    if any(source.size > MAX_COMPARED for source in sources) or (len(syntaxes) > 1 and any(s.is_encapsulated for s in syntaxes)):
        return False
    little = all(syntax.is_little_endian for syntax in syntaxes)
    try:
        first, second = map(_content, sources)
        tags = first.keys()
        return tags == second.keys() and all(_same_value(first, second, tag, as_bytes=little) for tag in tags)
    except Exception:  # pydicom raises all kinds for values that it cannot read
        return False


def _same_value(first: Dataset, second: Dataset, tag: BaseTag, *, as_bytes: bool) -> bool:
    """Whether an element has the same value in both; the same bytes are, `as_bytes`, also where pydicom cannot read them."""
    return (as_bytes and bool(first.get_item(tag).value == second.get_item(tag).value)) or bool(first[tag] == second[tag])


def _content(source: FileSource) -> Dataset:
    """The data set without what says nothing: group lengths (PS3.5 7.2) and Data Set Trailing Padding (PS3.10 7.2)."""
    data_set = DataSet(source.path.read_bytes()[source.offset :], source.transfer_syntax)
    check_size(data_set.encoded, data_set.transfer_syntax, most=MAX_ELEMENTS_COMPARED, deepest=MAX_DEPTH)
    ds = data_set.dataset
    for tag in [tag for tag in ds.keys() if tag.element == 0 or tag == TRAILING_PADDING]:  # noqa: SIM118 - iterating decodes
        del ds[tag]
    return ds
