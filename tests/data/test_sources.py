"""Sources: what they say about an instance, how they fill holes, and which files are found."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dimse.data.datasets import DataSet, query
from dimse.data.part10 import FileMeta
from dimse.data.protocols import Reading, Source
from dimse.data.sources import MAX_HOLES, BytesReading, BytesSource, FileSource, find_files
from dimse.data.uids import UID, CTImageStorage, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from dimse.errors import DataError

INSTANCE = UID("1.2.3.4")
HEAD = FileMeta(CTImageStorage, INSTANCE, ExplicitVRLittleEndian).encode()
DATA = b"\x08\0\x18\0UI\x08\0001.2.3.4\0" + b"\x10\0\x20\0LO\xd0\x07" + bytes(range(250)) * 8


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "instance.dcm"
    path.write_bytes(HEAD + DATA)
    return path


@pytest.fixture(params=["file", "memory"])
def source(request: pytest.FixtureRequest, file: Path) -> Source:
    if request.param == "file":
        return FileSource(file)
    return BytesSource(DATA, CTImageStorage, INSTANCE, ExplicitVRLittleEndian)


def holes(*sizes: int) -> list[memoryview]:
    return [memoryview(bytearray(size)) for size in sizes]


def drain(reading: Reading, sizes: Iterator[int] | list[int]) -> bytes:
    """Everything that is read into holes of these sizes, one after the other."""
    read = b""
    for size in sizes:
        hole = memoryview(bytearray(size))
        count = reading.readv([hole])
        read += bytes(hole[:count])
        assert not any(hole[count:])
    return read


def test_says_what_it_is(source: Source) -> None:
    assert (source.sop_class_uid, source.sop_instance_uid, source.transfer_syntax) == (CTImageStorage, INSTANCE, ExplicitVRLittleEndian)
    assert isinstance(source.transfer_syntax, UID)
    assert source.size == len(DATA)


def test_fills_the_holes_in_order_and_ends_with_nothing(source: Source) -> None:
    with source.open() as reading:
        first = holes(5, 1, 0, len(DATA) - 10)
        assert reading.readv(first) == len(DATA) - 4
        assert b"".join(first) == DATA[:-4]
        last = holes(3, 3)
        assert reading.readv(last) == 4
        assert b"".join(last) == DATA[-4:] + bytes(2)
        assert reading.readv(holes(10)) == 0
        assert reading.readv([]) == 0


def test_every_pass_begins_at_the_beginning(source: Source) -> None:
    with source.open() as one, source.open() as two:
        assert drain(one, [10, len(DATA)]) == drain(two, [7, len(DATA)]) == DATA


def test_no_room_is_no_end(source: Source) -> None:
    with source.open() as reading:
        assert reading.readv([]) == reading.readv(holes(0, 0)) == 0
        assert drain(reading, [len(DATA)]) == DATA


def test_more_holes_than_a_system_call_takes_are_filled_in_steps(source: Source) -> None:
    room = holes(*[1] * (len(DATA)))
    assert len(room) > MAX_HOLES
    with source.open() as reading:
        filled = 0
        while filled < len(room):
            filled += reading.readv(room[filled:])
    assert b"".join(room) == DATA


@given(st.binary(max_size=300), st.lists(st.integers(0, 40), max_size=20))
def test_any_holes_hold_the_beginning_of_the_data(data: bytes, sizes: list[int]) -> None:
    room = holes(*sizes)
    count = BytesReading(data).readv(room)
    assert count == min(sum(sizes), len(data))
    assert b"".join(room)[:count] == data[:count]


def test_a_file_tells_where_its_data_set_begins(file: Path) -> None:
    source = FileSource(file)
    assert (source.path, source.offset) == (file, len(HEAD))
    assert FileSource(Path(str(file))) == source
    assert str(file) in repr(source)
    assert len({source, FileSource(file)}) == 1


@pytest.mark.parametrize("size", [len(DATA) - 1, len(DATA) + 1])
def test_a_file_that_has_changed_is_not_opened(file: Path, size: int) -> None:
    source = FileSource(file)
    os.truncate(file, len(HEAD) + size)
    with pytest.raises(DataError, match=f"has {len(HEAD) + size} bytes and had {len(HEAD + DATA)} when"):
        source.open()


def test_a_file_that_shrinks_meanwhile_is_noticed(file: Path) -> None:
    with FileSource(file).open() as reading:
        reading.readv(holes(10))
        os.truncate(file, len(HEAD) + 20)
        assert reading.readv(holes(100)) == 10
        assert reading.readv([]) == 0
        with pytest.raises(DataError, match=f"became shorter while it was read: {len(DATA) - 20} bytes are missing"):
            reading.readv(holes(100))


def test_closing_twice_is_harmless(file: Path) -> None:
    with FileSource(file).open() as reading:
        reading.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        reading.readv(holes(1))


REFUSED = {
    "no data set": (HEAD, "the file has no data set"),
    "no DICOM": (b"x" * 500, "not a DICOM file"),
    "no class": (FileMeta(UID(""), INSTANCE, ExplicitVRLittleEndian).encode() + DATA, "lacks the Media Storage SOP Class UID"),
    "no instance": (FileMeta(CTImageStorage, UID(""), ExplicitVRLittleEndian).encode() + DATA, "lacks the Media Storage"),
}


@pytest.mark.parametrize(("content", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_refuses_other_files_by_name(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "odd.bin"
    path.write_bytes(content)
    before = len(os.listdir("/dev/fd"))
    with pytest.raises(DataError, match=message) as caught:
        FileSource(path)
    assert str(path) in str(caught.value)
    assert len(os.listdir("/dev/fd")) == before


def test_refuses_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(DataError, match="not a regular file"):
            FileSource(path)
    with pytest.raises(FileNotFoundError):
        FileSource(tmp_path / "none")


def test_memory_from_pydicom() -> None:
    from pydicom import dcmread
    from pydicom.dataset import Dataset

    ds = Dataset()
    ds.SOPClassUID, ds.PatientID = CTImageStorage, "42"
    with pytest.raises(DataError, match="no SOPInstanceUID"):
        BytesSource.from_pydicom(ds)
    ds.SOPInstanceUID = INSTANCE
    source = BytesSource.from_pydicom(ds)
    assert (source.sop_class_uid, source.sop_instance_uid, source.transfer_syntax) == (CTImageStorage, INSTANCE, ExplicitVRLittleEndian)
    assert DataSet(source.encoded, source.transfer_syntax).dataset == ds
    assert BytesSource.from_pydicom(ds, ExplicitVRBigEndian).transfer_syntax == ExplicitVRBigEndian
    assert "42" not in repr(source)
    content = FileMeta(CTImageStorage, INSTANCE, ImplicitVRLittleEndian).encode() + DataSet.from_pydicom(ds).encoded
    assert BytesSource.from_pydicom(dcmread(io.BytesIO(content))).transfer_syntax == ImplicitVRLittleEndian


def tree(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")


def found(root: Path, *paths: str) -> list[str]:
    return [str(path.relative_to(root)) for path in find_files([root / path for path in paths])]


def test_finds_files_below_folders_sorted(tmp_path: Path) -> None:
    tree(tmp_path, "b/2", "b/10", "b/a/z", "a", "c", "b.txt")
    (tmp_path / "empty").mkdir()
    assert found(tmp_path, "") == ["a", "b/10", "b/2", "b/a/z", "b.txt", "c"]


def test_keeps_the_order_of_what_is_named(tmp_path: Path) -> None:
    tree(tmp_path, "a/1", "b/1", "c")
    assert found(tmp_path, "c", "b", "a", "c", "b") == ["c", "b/1", "a/1", "c", "b/1"]
    assert list(find_files([])) == []
    assert list(find_files([str(tmp_path / "c")])) == [tmp_path / "c"]


def test_links_are_followed_but_never_twice(tmp_path: Path) -> None:
    tree(tmp_path, "a/1", "elsewhere/2")
    (tmp_path / "a/back").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "a/more").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (tmp_path / "a/self").symlink_to(tmp_path / "a/self")
    (tmp_path / "a/file").symlink_to(tmp_path / "elsewhere/2")
    (tmp_path / "a/nowhere").symlink_to(tmp_path / "none")
    os.mkfifo(tmp_path / "a/pipe")
    assert found(tmp_path, "a") == ["a/1", "a/back/elsewhere/2", "a/file"]
    assert found(tmp_path, "") == ["a/1", "a/file", "a/more/2"]


def test_a_name_that_does_not_exist_is_told_at_once(tmp_path: Path) -> None:
    tree(tmp_path, "a")
    with pytest.raises(FileNotFoundError, match="none"):
        find_files([tmp_path / "a", tmp_path / "none"])


def test_other_troubles_are_not_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dimse.data import sources

    class Broken:
        def is_file(self) -> bool:
            raise PermissionError(13, "no")

    monkeypatch.setattr(sources, "_entries", lambda folder, unreadable: [Broken()])
    with pytest.raises(PermissionError):
        list(find_files([tmp_path]))


def test_a_folder_that_cannot_be_read_can_be_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a/1", "b/2", "c/3"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    scandir = os.scandir

    def refuse(folder: str | Path) -> object:
        if str(folder).endswith("b"):
            raise PermissionError(13, "Permission denied", str(folder))
        return scandir(folder)

    monkeypatch.setattr("dimse.data.sources.os.scandir", refuse)
    with pytest.raises(PermissionError):
        list(find_files([tmp_path]))
    told: list[OSError] = []
    assert [path.name for path in find_files([tmp_path], unreadable=told.append)] == ["1", "3"]
    assert [error.filename for error in told] == [str(tmp_path / "b")]


def test_a_query_is_no_instance() -> None:
    with pytest.raises(DataError, match="no SOPClassUID"):
        BytesSource.from_pydicom(query("STUDY", PatientID="").dataset)
