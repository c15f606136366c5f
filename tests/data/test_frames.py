"""The size that compressed frames say they have."""

from __future__ import annotations

from pathlib import Path

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.encaps import generate_frames

from dimse.data.frames import Extent, extent_of
from dimse.errors import DataError

SAMPLES = Path(pydicom.__file__).parent / "data" / "test_files"
SOF = b"\xff\xc0\0\x0b\x08\0\2\0\3\1"
SIZ = b"\xff\x4f\xff\x51\0\x29\0\0" + b"".join(n.to_bytes(4, "big") for n in (13, 22, 10, 20, 3, 2, 0, 0)) + b"\0\1"


@pytest.mark.parametrize(
    "name",
    [
        "SC_rgb_jpeg_dcmtk", "SC_rgb_jpeg_gdcm", "JPGExtended", "JPEG2000", "MR_small_jp2klossless", "MR_small_jpeg_ls_lossless",
        "JPEGLSNearLossless_08", "SC_rgb_gdcm_KY", "SC_rgb_small_odd_jpeg", "examples_ybr_color", "SC_rgb_jpeg_app14_dcmd",
    ],
)  # fmt: skip
def test_real_frames(name: str) -> None:
    ds = pydicom.dcmread(SAMPLES / f"{name}.dcm")
    for frame in generate_frames(ds.PixelData, number_of_frames=int(ds.get("NumberOfFrames") or 1)):
        assert extent_of(frame) == (ds.Rows, ds.Columns, ds.SamplesPerPixel)


@pytest.mark.parametrize(
    "frame",
    [
        b"\xff\xd8" + SOF,
        b"\xff\xd8\xff\xff\xff" + SOF,
        b"\xff\xd8\xff\xe0\0\x04ab\xff\xfe\0\x06\xff\xc0cd\xff\xdb\0\2" + SOF,
        b"\xff\xd8\xff\xf7" + SOF[2:],
        SIZ,
    ],
    ids=["bare", "filling", "segments", "JPEG-LS", "JPEG 2000 with an offset"],
)
def test_made_up_frames(frame: bytes) -> None:
    assert extent_of(frame) == Extent(2, 3, 1)
    for length in range(2, len(frame)):
        with pytest.raises(DataError):
            extent_of(frame[:length])


@pytest.mark.parametrize(
    ("frame", "what"),
    [
        (b"", "begins as neither"),
        (b"\0\0\0\x0cjP  \r\n\x87\n" + SIZ, "begins as neither"),
        (b"\xff\xd8\xff\xd9\0\0", "FFD9H where its size must be"),
        (b"\xff\xd8\xff\xda\0\2" + SOF, "FFDAH where its size must be"),
        (b"\xff\xd8\xff\xde" + SOF[2:], "FFDEH where its size must be"),
        (b"\xff\xd8\0\0\0\0", "0000H where its size must be"),
    ],
    ids=["empty", "a file around it", "the end", "pixels", "a hierarchy", "nonsense"],
)
def test_frames_without_a_size(frame: bytes, what: str) -> None:
    with pytest.raises(DataError, match=what):
        extent_of(frame)


PARTS = st.sampled_from([b"\xff\xd8", SIZ, SIZ[:4], SOF, b"\xff\xc4\0\2", b"\xff\xfe\xff\xff", b"\xff\xe0\0\0", b"\xff\xff\xff"])


@given(st.lists(PARTS | st.binary(max_size=8)).map(b"".join))
def test_whatever_a_frame_is_made_of(frame: bytes) -> None:
    """It has a size, or is told from one that has; and it comes to an end."""
    try:
        extent = extent_of(frame)
    except DataError:
        return
    assert frame.startswith((b"\xff\xd8", SIZ[:4]))
    assert extent.samples < 1 << 16
