"""Made-up instances to measure with, made once; and whether all of them have arrived.

The last bytes of each instance are its own, so that what a receiver keeps is told by the ends of its files, whatever their names.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from dimse.data.elements import encode_element
from dimse.data.part10 import FileMeta
from dimse.data.uids import UID, CTImageStorage, ExplicitVRLittleEndian

KB, MB, GB = 1024, 1 << 20, 1 << 30
END = 32
BLOCK = MB
SPARSE = GB
"""From this size on, pixels are a hole in the file."""
PIXEL_DATA = b"\xe0\x7f\x10\0OW\0\0"
"""Tag and VR of Pixel Data; four bytes of length follow (PS3.5 7.1.2)."""


class Lost(Exception):
    """Not everything has arrived, or not as it was sent."""


@dataclass(frozen=True)
class Work:
    """So many instances of so many bytes."""

    count: int
    size: int
    series: int = 0
    """Which of several series in the same study."""

    def __str__(self) -> str:
        for name, unit, least in (("GB", GB, GB), ("MB", MB, MB // 2), ("KB", KB, KB)):
            if self.size >= least:
                return f"{self.count:,} x {self.size / unit:g} {name}"
        return f"{self.count:,} x {self.size} B"


@dataclass(frozen=True)
class Objects:
    """Instances of one series, each in a file, in a folder of their own."""

    work: Work
    folder: Path

    def path(self, number: int) -> Path:
        return self.folder / f"{number:06d}.dcm"


@dataclass
class Place:
    """Where is measured: a folder in memory, one on a disk, and the samples, which are made when they are first asked for."""

    memory: Path
    disk: Path
    made: dict[Work, Objects] = field(default_factory=dict)

    def objects(self, work: Work) -> Objects:
        if work not in self.made:
            folder = Path(tempfile.mkdtemp(prefix="samples-", dir=self.memory))
            self.made[work] = _make(Objects(work, folder))
        return self.made[work]

    @contextmanager
    def room(self, on_disk: bool = False) -> Iterator[Path]:
        """An empty folder for the time of a block."""
        folder = Path(tempfile.mkdtemp(prefix="run-", dir=self.disk if on_disk else self.memory))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def place(memory: Path, disk: Path) -> Iterator[Place]:
    """Folders of our own in these two, for the time of a block."""
    prefix = "dimse-peers-"
    with tempfile.TemporaryDirectory(prefix=prefix, dir=memory) as one, tempfile.TemporaryDirectory(prefix=prefix, dir=disk) as other:
        yield Place(Path(one), Path(other))


def uid(*path: object) -> UID:
    """A UID derived of a number (PS3.5 B.2)."""
    return UID(f"2.25.{int.from_bytes(hashlib.sha256(repr(path).encode()).digest()[:16], 'big')}")


def study(work: Work) -> UID:
    return uid("study", work.size)


def series(work: Work) -> UID:
    return uid("series", work.size, work.series)


def end(work: Work, number: int) -> bytes:
    """The last bytes of an instance."""
    return hashlib.sha256(repr((work.size, work.series, number)).encode()).digest()[:END]


def head(work: Work, number: int) -> bytes:
    """An instance without its pixels' bytes."""
    values = {
        0x0008_0016: ("UI", CTImageStorage),
        0x0008_0018: ("UI", uid("instance", work.size, work.series, number)),
        0x0008_0020: ("DA", "20260101"),
        0x0008_0030: ("TM", "120000"),
        0x0008_0050: ("SH", f"A{work.size}"),
        0x0008_0060: ("CS", "CT"),
        0x0010_0010: ("PN", "Nobody^Here"),
        0x0010_0020: ("LO", f"P{work.size}"),
        0x0010_0030: ("DA", "19700101"),
        0x0010_0040: ("CS", "O"),
        0x0020_000D: ("UI", study(work)),
        0x0020_000E: ("UI", series(work)),
        0x0020_0010: ("SH", "1"),
        0x0020_0011: ("IS", str(work.series + 1)),
        0x0020_0013: ("IS", str(number + 1)),
    }
    elements = b"".join(encode_element(tag, vr, value.encode(), ExplicitVRLittleEndian) for tag, (vr, value) in values.items())
    size = max(END, work.size - len(elements) - len(PIXEL_DATA) - 4) // 2 * 2
    return elements + PIXEL_DATA + size.to_bytes(4, "little")


def arrived(folder: Path, sent: Sequence[Objects]) -> None:
    """Raises `Lost` unless the files below `folder` have all of these: their ends, and of one all bytes of its data set."""
    kept = {_last(path): path for path in folder.rglob("*") if path.is_file()}
    for objects in sent:
        missing = [number for number in range(objects.work.count) if end(objects.work, number) not in kept]
        if missing:
            raise Lost(f"{len(missing)} of {objects.work.count} have not arrived, number {missing[0] + 1} the first of them")
        number = objects.work.count - 1
        if objects.work.size < SPARSE:
            _compare(objects.path(number), kept[end(objects.work, number)], len(head(objects.work, number)))


def _compare(sent: Path, kept: Path, head_size: int) -> None:
    """The data set is where a file ends, whatever was put before it."""
    pixels = sent.stat().st_size - _meta_size(sent) - head_size
    if _digest(sent, pixels) != _digest(kept, pixels):
        raise Lost(f"{sent.name} did not arrive as it was sent")


def _meta_size(path: Path) -> int:
    with path.open("rb") as file:
        start = file.read(144)
    return 144 + int.from_bytes(start[140:144], "little")


def _digest(path: Path, last: int) -> bytes:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - last))
        return hashlib.file_digest(file, "sha1").digest()


def _last(path: Path) -> bytes:
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        file.seek(max(0, size - END))
        return file.read(END)


def _make(objects: Objects) -> Objects:
    block = os.urandom(min(BLOCK, objects.work.size + 1))
    for number in range(objects.work.count):
        own = uid("instance", objects.work.size, objects.work.series, number)
        encoded = head(objects.work, number)
        pixels = int.from_bytes(encoded[-4:], "little") - END
        with objects.path(number).open("wb") as file:
            file.write(FileMeta(CTImageStorage, own, ExplicitVRLittleEndian).encode() + encoded)
            if objects.work.size >= SPARSE:
                file.seek(pixels, os.SEEK_CUR)
            else:
                for at in range(0, pixels, len(block)):
                    file.write(block[: min(len(block), pixels - at)])
            file.write(end(objects.work, number))
    return objects
