"""Conversions on the way: every uncompressed transfer syntax to every other, compressed images to pixels, and what cannot be."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, encapsulate_extended, generate_fragmented_frames
from pydicom.sequence import Sequence

from dimse.association.negotiation import Context
from dimse.data.datasets import DataSet
from dimse.data.sources import BytesReading, BytesSource, FileSource
from dimse.data.uids import (
    MPEG4HP41,
    UID,
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    RLELossless,
)
from dimse.errors import ContextRefused, DataError
from dimse.services import conversion, recoding
from dimse.services.conversion import UNCOMPRESSED, has_codecs, needs_codecs, target, targets
from dimse.services.handlers import Services
from dimse.services.plan import contexts_for
from dimse.services.recoding import converted

from .drivers import Front
from .samples import Account, Mover, instance, real_instance

HEAD = b"\xff\xd8\xff\xc0\0\x0b\x08\0\2\0\3\1\1\x11\0\xff\xd9\0"
"""A JPEG of 2 by 3 pixels, without any."""
SAMPLES = Path(pydicom.__file__).parent / "data" / "test_files"


def image(**elements: object) -> Dataset:
    """A made-up image of 2 by 3 pixels of 16 bits."""
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID, ds.PatientName = CTImageStorage, "1.2.3", "Doe^Made Up"
    ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.BitsAllocated, ds.BitsStored, ds.HighBit = 2, 3, 1, 16, 16, 15
    ds.PixelRepresentation, ds.PhotometricInterpretation = 0, "MONOCHROME2"
    ds.PixelData = bytes(range(12))
    for keyword, value in elements.items():
        setattr(ds, keyword, value)
    ds["PixelData"].VR = "OW"
    return ds


def source(ds: Dataset, syntax: UID) -> BytesSource:
    return BytesSource(DataSet.from_pydicom(ds, syntax).encoded, CTImageStorage, UID("1.2.3"), syntax)


def compressed(ds: Dataset, *frames: bytes, syntax: UID = JPEGBaseline8Bit) -> BytesSource:
    """The image with these frames as its Pixel Data."""
    ds.PixelData = encapsulate(list(frames))
    ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
    return source(ds, syntax)


@pytest.fixture
def without_codecs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversion, "CODECS", ("numpy", "no_such_codec"))


@pytest.mark.parametrize("stored", UNCOMPRESSED)
@pytest.mark.parametrize("wanted", UNCOMPRESSED)
def test_uncompressed(stored: UID, wanted: UID) -> None:
    """What comes out is what had been stored in that transfer syntax from the beginning, the words of the pixels included."""
    found = converted(source(image(), stored), wanted)
    assert found == source(image(), wanted)
    assert wanted == stored or wanted in targets(stored)


def test_what_goes_where() -> None:
    assert targets(ImplicitVRLittleEndian) == (ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian)
    assert targets(JPEGBaseline8Bit) == UNCOMPRESSED
    assert targets(MPEG4HP41) == targets(UID("1.2.3.4")) == ()
    assert target(JPEGBaseline8Bit, [JPEG2000Lossless, ExplicitVRBigEndian, ImplicitVRLittleEndian]) == ImplicitVRLittleEndian
    assert target(ImplicitVRLittleEndian, [JPEG2000Lossless]) is None


def test_without_codecs(without_codecs: None) -> None:
    assert not has_codecs()
    assert targets(JPEGBaseline8Bit) == ()
    assert [needs_codecs(syntax) for syntax in (JPEGBaseline8Bit, MPEG4HP41, ImplicitVRLittleEndian)] == [True, False, False]
    assert [c.transfer_syntaxes for c in contexts_for([instance(1, transfer_syntax=JPEGBaseline8Bit)])] == [(JPEGBaseline8Bit,)]


@pytest.mark.parametrize("name", ["MR_small_RLE", "MR_small_jp2klossless", "MR_small_jpeg_ls_lossless"])
@pytest.mark.parametrize("wanted", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_compressed_without_loss(name: str, wanted: UID) -> None:
    """The pixels are those that were compressed, and the instance is the same one."""
    stored = FileSource(SAMPLES / f"{name}.dcm")
    found = converted(stored, wanted)
    ds, before = DataSet(found.encoded, wanted).dataset, pydicom.dcmread(stored.path)
    assert ds.PixelData == pydicom.dcmread(SAMPLES / "MR_small.dcm").PixelData
    assert found.sop_instance_uid == ds.SOPInstanceUID == before.SOPInstanceUID
    assert (found.transfer_syntax, found.size % 2) == (wanted, 0)
    assert [e for e in ds if e.tag != 0x7FE00010] == [e for e in before if e.tag != 0x7FE00010]


@pytest.mark.parametrize(
    ("name", "photometric", "size"),
    [
        ("SC_rgb_jpeg_dcmtk", "RGB", 30_000),
        ("SC_rgb_dcmtk_+eb+cy+np", "RGB", 30_000),
        ("SC_rgb_jpeg_gdcm", "RGB", 30_000),
        ("JPGExtended", "MONOCHROME2", 2 * 1024 * 256),
        ("JPEG2000", "MONOCHROME2", 2 * 1024 * 256),
        ("SC_rgb_rle_2frame", "RGB", 60_000),
        ("SC_rgb_small_odd_jpeg", "RGB", 28),
    ],
)
def test_compressed(name: str, photometric: str, size: int) -> None:
    """Colour is RGB behind it; several frames are, and an odd number of bytes is padded."""
    found = converted(FileSource(SAMPLES / f"{name}.dcm"), ExplicitVRLittleEndian)
    ds = DataSet(found.encoded, ExplicitVRLittleEndian).dataset
    assert (ds.PhotometricInterpretation, len(ds.PixelData)) == (photometric, size)
    assert not ds["PixelData"].is_undefined_length


def test_a_compressed_syntax_without_pixels() -> None:
    report = replace(real_instance(1), transfer_syntax=JPEGBaseline8Bit)
    assert converted(report, ImplicitVRLittleEndian).encoded == real_instance(1, ImplicitVRLittleEndian).encoded


def test_tables_about_fragments_go_with_them() -> None:
    ds = pydicom.dcmread(SAMPLES / "MR_small_RLE.dcm")
    frames = list(generate_fragmented_frames(ds.PixelData, number_of_frames=1))
    ds.PixelData, offsets, lengths = encapsulate_extended([b"".join(frame) for frame in frames])
    ds.add_new(0x7FE00001, "OV", offsets)
    ds.add_new(0x7FE00002, "OV", lengths)
    found = converted(BytesSource.from_pydicom(ds), ExplicitVRLittleEndian)
    assert [e.tag for e in DataSet(found.encoded, ExplicitVRLittleEndian).elements() if e.tag >> 16 == 0x7FE0] == [0x7FE00010]


@pytest.mark.parametrize(
    ("stored", "what"),
    [
        (compressed(image(), b"no JPEG at all!!"), "begins as neither JPEG nor JPEG 2000"),
        (compressed(image(), HEAD), r"pixels in JPEG Baseline .* cannot be decompressed: ."),
        (compressed(image(Rows=5), HEAD), "says that it has 2 rows, 3 columns and 1 samples, and its image has 5 rows, 3 columns"),
        (compressed(image(Rows=None), b"\xff\xd8\xff\xd9"), "cannot be decompressed"),
        (compressed(image(Rows=60_000, Columns=60_000), b"\xff\xd8\xff\xd9"), "an image of 7200000000 bytes is longer"),
        (compressed(image(), b"\0" * 64, syntax=RLELossless), "cannot be decompressed"),
    ],
    ids=["garbage", "a head only", "another size", "no size", "huge", "no RLE"],
)
def test_pixels_that_cannot_be_decompressed(stored: BytesSource, what: str) -> None:
    with pytest.raises(DataError, match=what):
        converted(stored, ExplicitVRLittleEndian)


def test_an_icon_that_is_compressed() -> None:
    ds = pydicom.dcmread(SAMPLES / "MR_small_RLE.dcm")
    icon = image()
    ds.IconImageSequence = Sequence([Dataset(), icon])
    assert converted(BytesSource.from_pydicom(ds), ExplicitVRLittleEndian).size
    icon.PixelData = encapsulate([b"ab"])
    icon["PixelData"].VR, icon["PixelData"].is_undefined_length = "OB", True
    with pytest.raises(DataError, match="the icon"):
        converted(BytesSource.from_pydicom(ds), ExplicitVRLittleEndian)


def test_an_instance_that_is_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recoding, "MAX_CONVERTED", 100)
    with pytest.raises(DataError, match=r"an instance of 102 bytes is longer than the 100 bytes .*; send it in the transfer syntax"):
        converted(instance(1, 102), ImplicitVRLittleEndian)


class Pieces:
    """A source that is read in small pieces, and may have fewer bytes than it says."""

    sop_class_uid, sop_instance_uid, transfer_syntax = CTImageStorage, UID("1.2.3"), ExplicitVRLittleEndian

    def __init__(self, encoded: bytes, size: int) -> None:
        self._encoded = encoded
        self.size = size

    def open(self) -> _SmallReading:
        return _SmallReading(self._encoded)


class _SmallReading(BytesReading):
    def readv(self, holes: list[memoryview]) -> int:
        return super().readv([hole[:7] for hole in holes])


def test_a_source_that_is_read_in_pieces() -> None:
    encoded = source(image(), ExplicitVRLittleEndian).encoded
    assert converted(Pieces(encoded, len(encoded)), ImplicitVRLittleEndian) == source(image(), ImplicitVRLittleEndian)
    with pytest.raises(DataError, match="ends early"):
        converted(Pieces(encoded, len(encoded) + 2), ImplicitVRLittleEndian)


# On an association


def test_sent_to_a_peer_that_takes_implicit_only(wide_front: Front) -> None:
    account, stored = Account(), FileSource(SAMPLES / "MR_small_jp2klossless.dcm")
    served = wide_front.serve(Services(sink=account.sink))
    with wide_front.connect(served, [Context(stored.sop_class_uid, (ImplicitVRLittleEndian,))]) as link:
        assert link.store(stored).ok
    (kept,) = account.kept
    assert pydicom.dcmread(io.BytesIO(kept[1]), force=True).PixelData == pydicom.dcmread(SAMPLES / "MR_small.dcm").PixelData


def test_without_the_codecs_the_reason_is_in_words(wide_front: Front, without_codecs: None) -> None:
    stored = instance(1, transfer_syntax=JPEGBaseline8Bit)
    served = wide_front.serve(Services(sink=Account().sink, get=Mover([stored]).move))
    with wide_front.connect(served, [Context(CTImageStorage, (ImplicitVRLittleEndian,))]) as link:
        with pytest.raises(ContextRefused, match=r"compressed in JPEG Baseline \(Process 1\): .*; or install the extra codecs"):
            link.store(stored)
        ((_, status),) = link.store_all([stored])
        assert (int(status), status.local) == (0x0122, True)
        assert "compressed in JPEG Baseline" in status.comment
