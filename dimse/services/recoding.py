"""Instances encoded anew in another transfer syntax, or decompressed (PS3.5 Annex A, PS3.4 B.4.1).

The SOP Instance UID stays: the pixels are the same ones. The instance is held in memory meanwhile, more than once, so `Session.heavy`
says when that may be done: a server has one at a time for all its associations, the asyncio front in a thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dimse.data.datasets import DataSet
from dimse.data.frames import Extent, extent_of
from dimse.data.headers import PIXEL_DATA
from dimse.data.protocols import Source
from dimse.data.sources import BytesSource
from dimse.data.uids import UID, ExplicitVRLittleEndian, RLELossless
from dimse.errors import DataError

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

MAX_CONVERTED = 536_870_912
"""Bytes of an instance that is converted, and of its pixels when they are decompressed: a conversion holds some times that."""
LONGEST_REASON = 300
"""Characters of what the codecs say; some say it at length."""


def converted(source: Source, transfer_syntax: UID) -> BytesSource:
    """The instance in another transfer syntax, or in its own, padded to an even length (PS3.5 A.5).

    The other one must be one of the instance's `dimse.services.conversion.targets`.
    Raises `DataError` for more than `MAX_CONVERTED` bytes, for what cannot be read or decompressed, and `OSError`.
    """
    encoded = _read(source)
    if transfer_syntax != source.transfer_syntax:
        data = DataSet(encoded, source.transfer_syntax)
        plain = _decompressed(data) if source.transfer_syntax.is_encapsulated else data
        encoded = plain.encoded_as(transfer_syntax).encoded
    return BytesSource(encoded, source.sop_class_uid, source.sop_instance_uid, transfer_syntax)


def _read(source: Source) -> bytes:
    """The whole data set, padded to an even length."""
    if source.size > MAX_CONVERTED:
        raise _too_long(f"an instance of {source.size} bytes")
    encoded = bytearray(source.size + source.size % 2)
    at, view = 0, memoryview(encoded)[: source.size]
    with source.open() as reading:
        while at < source.size:
            count = reading.readv([view[at:]])
            if count == 0:
                raise DataError("the data set ends early", at)
            at += count
    return bytes(encoded)


def _decompressed(data: DataSet) -> DataSet:
    """The data set with native Pixel Data; in RGB where they were in a colour space of the compression (PS3.5 8.2)."""
    from pydicom.dataset import FileMetaDataset
    from pydicom.pixels.utils import decompress

    if not any(element.tag == PIXEL_DATA for element in data.elements()):
        return DataSet(data.encoded, ExplicitVRLittleEndian)
    ds = data.dataset
    try:
        _check_image(ds, data.transfer_syntax)
        ds.file_meta = FileMetaDataset()
        ds.file_meta.add_new(0x00020010, "UI", data.transfer_syntax)
        decompress(ds, generate_instance_uid=False)
    except DataError:
        raise
    except Exception as error:  # whatever the codecs raise about bytes that somebody else chose
        why = " ".join(str(error).split())[:LONGEST_REASON] or type(error).__name__
        raise DataError(f"pixels in {data.transfer_syntax.name} cannot be decompressed: {why}", clause="PS3.5 A.4") from error
    for table in EXTENDED_OFFSET_TABLE:  # which are about the fragments that are gone
        ds.pop(table, None)
    return DataSet.from_pydicom(ds, ExplicitVRLittleEndian)


EXTENDED_OFFSET_TABLE = (0x7FE00001, 0x7FE00002)


def _check_image(ds: Dataset, syntax: UID) -> None:
    """Raises `DataError` for pixels that would be too many, and for a compressed icon, which nothing here decompresses."""
    frames, bits = int(ds.get("NumberOfFrames") or 1), int(ds.get("BitsAllocated") or 8)
    extent = Extent(int(ds.Rows), int(ds.Columns), int(ds.get("SamplesPerPixel") or 1))
    size = extent.rows * extent.columns * extent.samples * frames * ((bits + 7) // 8)
    if size > MAX_CONVERTED:
        raise _too_long(f"an image of {size} bytes")
    if syntax != RLELossless:  # which has no size of its own
        _check_frames(ds, frames, extent)
    for item in ds.get("IconImageSequence") or ():
        if "PixelData" in item and item["PixelData"].is_undefined_length:
            raise DataError("the icon of the image is compressed as well, and only the image can be decompressed", clause="PS3.5 A.4")


def _check_frames(ds: Dataset, count: int, extent: Extent) -> None:
    """Raises `DataError` for a frame that asks a decoder for more, or less, than the image has."""
    from pydicom.encaps import generate_frames

    tables = [bytes(ds[tag].value) for tag in EXTENDED_OFFSET_TABLE if tag in ds]
    offsets = (tables[0], tables[1]) if len(tables) == len(EXTENDED_OFFSET_TABLE) else None
    for frame in generate_frames(ds.PixelData, number_of_frames=count, extended_offsets=offsets):
        if (found := extent_of(frame)) != extent:
            raise DataError(f"a frame says that it has {_words(found)}, and its image has {_words(extent)}", clause="PS3.5 8.2")


def _words(extent: Extent) -> str:
    return f"{extent.rows} rows, {extent.columns} columns and {extent.samples} samples"


def _too_long(what: str) -> DataError:
    advice = "send it in the transfer syntax that it is stored in"
    return DataError(f"{what} is longer than the {MAX_CONVERTED} bytes that are converted", clause="MAX_CONVERTED", advice=advice)
