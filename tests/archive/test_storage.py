"""Storing: what lies on disk after a C-STORE, and that nothing lies there after one that failed."""

from __future__ import annotations

import errno
import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from random import Random

import pytest
from pydicom import dcmread

from dimse.archive import Archive, duplicates, layout
from dimse.archive.index import Writing
from dimse.archive.sink import HEAD, HELD
from dimse.data.datasets import DataSet
from dimse.data.part10 import FileMeta, read_meta
from dimse.data.uids import (
    UID,
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    MRImageStorage,
)
from dimse.errors import Refused, UsageError
from dimse.services.handlers import Services
from tests.archive.samples import PIXELS, Sample, encode, files_below, find, sample, store, store_request

LONG = PIXELS * (HELD // len(PIXELS) + 1)


def kept(archive: Archive, uid: str) -> bytes:
    """The data set in the file of an instance."""
    file = archive.path_of(uid).read_bytes()
    return file[read_meta(file)[1] :]


def objects_of(archive: Archive) -> list[str]:
    """The files that are instances of the archive."""
    return [name for name in files_below(archive) if name.startswith("objects/")]


def refused(services: Services, what: Sample) -> Refused:
    with pytest.raises(Refused) as caught:
        store(services, what)
    return caught.value


@pytest.mark.parametrize("pixels", [b"", PIXELS, LONG], ids=["none", "short", "long"])
@pytest.mark.parametrize("chunk", [333, 16_000, 10_000_000])
def test_the_data_set_is_kept_byte_for_byte(archive: Archive, services: Services, pixels: bytes, chunk: int) -> None:
    what = sample("1.2.3", pixels)
    assert store(services, what, chunk) == 0
    assert kept(archive, "1.2.3") == what.encoded
    assert archive.counts() == (1, 1, 1, 1)
    name = sha256(b"1.2.3").hexdigest()
    assert files_below(archive) == [f"objects/{name[:2]}/{name}.dcm"]


def test_the_file_says_what_it_holds_and_where_it_came_from(archive: Archive, services: Services) -> None:
    store(services, sample("1.2.3"))
    meta, _ = read_meta(archive.path_of("1.2.3").read_bytes())
    assert (meta.media_storage_sop_class_uid, meta.media_storage_sop_instance_uid) == (CTImageStorage, "1.2.3")
    assert (meta.transfer_syntax_uid, meta.source_application_entity_title) == (ExplicitVRLittleEndian, "SENDER")


def test_heads_that_are_remembered_are_as_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "MOST_HEADS", 2)
    heads = layout.Heads()
    for uid in ("1.2.3", "1.2.4", "1.2.34", "1.2.35", "1.2.3" + "5" * 40, "1.2.5"):
        for calling in ("ME", "SENDER", ""):
            head = heads.head_of(CTImageStorage, UID(uid), ExplicitVRLittleEndian, calling)
            expected = FileMeta(
                CTImageStorage,
                UID(uid),
                ExplicitVRLittleEndian,
                source_application_entity_title=calling,
                private_information_creator_uid=layout.DIGEST_CREATOR,
                private_information=bytes(32),
            )
            assert read_meta(head) == (expected, len(head))


def test_pydicom_reads_a_file_of_the_archive(archive: Archive, services: Services) -> None:
    store(services, what := sample("1.2.3"))
    file = dcmread(archive.path_of("1.2.3"))
    assert file.PatientName == "Nobody^Ann"
    assert str(file.file_meta.PrivateInformationCreatorUID) == layout.DIGEST_CREATOR
    assert file.file_meta.PrivateInformation == sha256(what.encoded).digest()


def test_many_pieces_at_once(archive: Archive, services: Services) -> None:
    what = sample("1.2.3", LONG)
    assert services.sink is not None
    sink = services.sink(store_request(what))
    view = memoryview(what.encoded)
    sink.write([view[at : at + 500] for at in range(0, len(view) - 1000, 500)])
    rest = view[(len(view) - 1000 + 499) // 500 * 500 :]
    sink.write([rest[at : at + 1] for at in range(len(rest))] + [memoryview(b"")])
    assert sink.finish() == 0
    assert kept(archive, "1.2.3") == what.encoded


@pytest.mark.parametrize("pixels", [PIXELS, LONG], ids=["short", "long"])
def test_a_data_set_that_does_not_end_leaves_nothing(archive: Archive, services: Services, pixels: bytes) -> None:
    what = sample("1.2.3", pixels)
    assert services.sink is not None
    sink = services.sink(store_request(what))
    sink.write([memoryview(what.encoded)[:-10]])
    sink.discard()
    assert files_below(archive) == []
    assert archive.counts() == (0, 0, 0, 0)


@pytest.mark.parametrize("pixels", [PIXELS, LONG], ids=["short", "long"])
@pytest.mark.parametrize(
    ("values", "status", "offending"),
    [
        ({"SOPInstanceUID": "1.2.4"}, 0xA900, (0x00080018,)),
        ({"SOPInstanceUID": ""}, 0xA900, (0x00080018,)),
        ({"SOPClassUID": MRImageStorage}, 0xA900, (0x00080016,)),
        ({"StudyInstanceUID": ""}, 0xC000, (0x0020000D,)),
        ({"SeriesInstanceUID": ""}, 0xC000, (0x0020000E,)),
        ({"StudyInstanceUID": "", "SeriesInstanceUID": ""}, 0xC000, (0x0020000D, 0x0020000E)),
    ],
)
def test_a_data_set_that_is_not_what_the_command_said_or_belongs_nowhere(
    archive: Archive, services: Services, pixels: bytes, values: dict[str, str], status: int, offending: tuple[int, ...]
) -> None:
    error = refused(services, sample("1.2.3", pixels, **values))
    assert (error.status, error.offending) == (status, offending)
    assert len(error.comment) <= 64  # what Error Comment (0000,0902) holds
    assert files_below(archive) == []
    assert archive.counts() == (0, 0, 0, 0)


@pytest.mark.parametrize("uid", ["../../../tmp/PWN", "/tmp/PWN", "..", "", "1.2;$(id)", "1." * 32 + "1", "1.2\0.3", "1.2 3"])
def test_a_name_that_is_no_uid_is_refused_before_any_data(archive: Archive, services: Services, uid: str) -> None:
    assert refused(services, sample(uid)).status == 0x0117
    assert files_below(archive) == []


def test_uids_of_the_data_set_are_never_paths(archive: Archive, services: Services) -> None:
    assert store(services, sample("1.02.3", StudyInstanceUID="../../x", SeriesInstanceUID="/", PatientID="../../x")) == 0
    assert files_below(archive) == [str(archive.path_of("1.02.3").relative_to(archive.folder))]
    (match,) = find(services, "STUDY", StudyInstanceUID="", PatientID="../../x")
    assert b"../../x" in match.encoded


def test_the_class_must_be_that_of_the_context(archive: Archive, services: Services) -> None:
    request = store_request(sample("1.2.3"))
    command = store_request(Sample(b"", "1.2.3", MRImageStorage)).command
    assert services.sink is not None
    with pytest.raises(Refused) as caught:
        services.sink(type(request)(request.peer, command, request.context))
    assert caught.value.status == 0x0122


@pytest.mark.parametrize("pixels", [PIXELS, LONG], ids=["short", "long"])
def test_the_same_instance_again(archive: Archive, services: Services, pixels: bytes) -> None:
    what = sample("1.2.3", pixels)
    assert store(services, what) == 0
    before = archive.path_of("1.2.3").stat()
    assert store(services, what) == 0
    assert store(services, sample("1.2.3", pixels, PatientName="Somebody^Else")) == 0x0111
    assert kept(archive, "1.2.3") == what.encoded
    after = archive.path_of("1.2.3").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert archive.counts() == (1, 1, 1, 1)
    assert len(objects_of(archive)) == 1


@pytest.mark.parametrize(("name", "status"), [("Nobody^Ann", 0x0000), ("Somebody^Else", 0x0111)])
def test_the_same_instance_again_in_another_uncompressed_encoding(archive: Archive, services: Services, name: str, status: int) -> None:
    what = sample("1.2.3", PIXELS, ImplicitVRLittleEndian)
    assert store(services, what) == 0
    assert store(services, sample("1.2.3", PIXELS, ExplicitVRLittleEndian, PatientName=name)) == status
    assert kept(archive, "1.2.3") == what.encoded
    assert len(objects_of(archive)) == 1


@pytest.mark.parametrize(("name", "status"), [("Nobody^Ann", 0x0000), ("Somebody^Else", 0x0111)])
def test_the_same_instance_again_written_anew(archive: Archive, services: Services, name: str, status: int) -> None:
    """DCMTK, hence Orthanc, drops trailing padding and group lengths from what it passes on; an odd value harms nobody."""
    what = sample("1.2.3", PIXELS, InstanceNumber="one", SliceThickness="thin")
    length, padding = bytes.fromhex("08000000554c0400ffffff00"), bytes.fromhex("fcfffcff4f420000") + bytes.fromhex("04000000") + bytes(4)
    assert store(services, replace(what, encoded=length + what.encoded + padding)) == 0
    again = sample("1.2.3", PIXELS, PatientName=name, InstanceNumber="one", SliceThickness="thin")
    assert store(services, again) == status
    assert kept(archive, "1.2.3") == length + what.encoded + padding


def test_instances_of_very_many_elements_are_not_compared(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each element would be an object: 64 MiB of empty ones take gigabytes, and minutes."""
    monkeypatch.setattr(duplicates, "MAX_ELEMENTS_COMPARED", 8)
    few, many = sample("1.2.3", PIXELS, ImplicitVRLittleEndian), sample("1.2.4", PIXELS, ImplicitVRLittleEndian, PatientSex="F")
    assert [store(services, what) for what in (few, many)] == [0, 0]
    assert store(services, sample("1.2.3", PIXELS)) == 0
    assert store(services, sample("1.2.4", PIXELS, PatientSex="F")) == 0x0111


def test_the_same_pixels_compressed_are_another_instance(archive: Archive, services: Services) -> None:
    assert store(services, sample("1.2.3")) == 0
    assert store(services, sample("1.2.3", PIXELS[:-2], JPEGBaseline8Bit)) == 0x0111


def test_a_file_that_was_never_acknowledged_gives_way(archive: Archive, services: Services) -> None:
    """And is kept elsewhere: nobody knows what it is."""
    place = archive.path_of("1.2.3")
    for content in (b"of nobody", b"of somebody else"):
        place.write_bytes(content)
        assert store(services, what := sample("1.2.3")) == 0
        assert kept(archive, "1.2.3") == what.encoded
        with archive._storage.index.writing() as writing:
            writing.remove("1.2.3")
    aside = archive.folder / "quarantine"
    assert [(aside / f"{place.name}{number}").read_bytes() for number in ("", ".1")] == [b"of nobody", b"of somebody else"]


HEAD_ONLY = {"SOPClassUID": CTImageStorage, "SOPInstanceUID": "1.2", "StudyInstanceUID": "1", "SeriesInstanceUID": "2"}


@pytest.mark.parametrize("size", [0, HELD], ids=["short", "long"])
@pytest.mark.parametrize("odd", [b"\xfe\xff\x0d\xe0\0\0\0\0", b"\x20\0\x13\0??\2\0ab", b"\0"], ids=["delimiter", "no VR", "padding"])
def test_what_is_odd_is_kept_as_it_is(archive: Archive, services: Services, odd: bytes, size: int) -> None:
    encoded = encode(HEAD_ONLY, b"") + odd + encode({}, bytes(size)) + odd
    assert store(services, Sample(encoded, "1.2")) == 0
    assert kept(archive, "1.2") == encoded


@pytest.mark.parametrize("size", [100, HELD], ids=["short", "long"])
@pytest.mark.parametrize("cut", [2, 50, 107])  # one byte may be the padding of a deflated stream
@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, JPEGBaseline8Bit, DeflatedExplicitVRLittleEndian])
def test_a_data_set_that_ends_early_is_refused(archive: Archive, services: Services, syntax: UID, cut: int, size: int) -> None:
    """D-06, also in encapsulated Pixel Data, whose fragments are passed, and in a deflated stream."""
    noise = Random(1).randbytes(size)
    encoded = encode(HEAD_ONLY, noise)
    if syntax.is_encapsulated:
        head = encode(HEAD_ONLY, b"")
        fragments = b"".join(b"\xfe\xff\0\xe0\x64\0\0\0" + noise[at : at + 100].ljust(100) for at in range(0, size, 100))
        encoded = head + b"\xe0\x7f\x10\0OB\0\0\xff\xff\xff\xff" + fragments + b"\xfe\xff\xdd\xe0\0\0\0\0"
    if syntax.is_deflated:
        encoded = DataSet(encoded, ExplicitVRLittleEndian).encoded_as(syntax).encoded
    error = refused(services, Sample(encoded[:-cut], "1.2", transfer_syntax=syntax))
    assert error.status == 0xC000
    assert len(error.comment) <= 64
    assert files_below(archive) == []
    assert store(services, Sample(encoded, "1.2", transfer_syntax=syntax)) == 0


@pytest.mark.parametrize("encoded", [b"", b"\x08\0\x16\0UI\xff\xff", b"\xff" * 100, bytes(HELD + 10)], ids=["empty", "cut", "ff", "zeros"])
def test_what_cannot_be_read_is_refused(archive: Archive, services: Services, encoded: bytes) -> None:
    assert refused(services, Sample(encoded, "1.2")).status in (0xC000, 0xA900)
    assert files_below(archive) == []


def test_a_long_data_set_whose_uids_stand_far_behind(archive: Archive, services: Services) -> None:
    what = sample("1.2.3", LONG, PatientComments=b"x" * 60_000)
    at = what.encoded.index(b"\x20\0\x0d\0")
    private = b"\x19\0\x10\0LO\x08\0NOBODY  \x19\0\x01\x10OB\0\0" + (2 * HEAD).to_bytes(4, "little") + bytes(2 * HEAD)
    far = Sample(what.encoded[:at] + private + what.encoded[at:], "1.2.3")
    assert store(services, far) == 0
    assert [match["StudyInstanceUID"] for match in find(services, "STUDY", StudyInstanceUID="")] == ["1.2.3.1"]
    assert kept(archive, "1.2.3") == far.encoded


@pytest.mark.parametrize("pixels", [b"", PIXELS, LONG + os.urandom(2 * HELD)], ids=["none", "short", "long"])
@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian])
def test_other_transfer_syntaxes(archive: Archive, services: Services, syntax: UID, pixels: bytes) -> None:
    what = sample("1.2.3", pixels, Rows=b"\0\2", InstanceNumber="7")
    encoded = DataSet(what.encoded, what.transfer_syntax).encoded_as(syntax).encoded
    assert store(services, Sample(encoded, "1.2.3", transfer_syntax=syntax)) == 0
    keys = {"StudyInstanceUID": "1.2.3.1", "SeriesInstanceUID": "1.2.3.2", "InstanceNumber": "7", "Rows": "", "SOPInstanceUID": ""}
    assert [(match["Rows"], match["SOPInstanceUID"]) for match in find(services, "IMAGE", **keys)] == [(512, "1.2.3")]
    assert read_meta(archive.path_of("1.2.3").read_bytes())[0].transfer_syntax_uid == syntax


def test_compressed_data_are_not_looked_into(archive: Archive, services: Services) -> None:
    head = sample("1.2.3", b"").encoded
    fragments = b"\xe0\x7f\x10\0OB\0\0\xff\xff\xff\xff\xfe\xff\0\xe0\0\0\0\0\xfe\xff\0\xe0\4\0\0\0abcd\xfe\xff\xdd\xe0\0\0\0\0"
    assert store(services, Sample(head + fragments, "1.2.3", transfer_syntax=JPEGBaseline8Bit)) == 0
    assert kept(archive, "1.2.3") == head + fragments


@pytest.mark.parametrize("call", ["open", "writev", "link", "fsync"])
@pytest.mark.parametrize("pixels", [PIXELS, LONG], ids=["short", "long"])
def test_a_full_disk_is_answered_and_leaves_nothing(
    archive: Archive, services: Services, monkeypatch: pytest.MonkeyPatch, call: str, pixels: bytes
) -> None:
    def full(*args: object, **keywords: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    assert services.sink is not None
    sink = services.sink(store_request(what := sample("1.2.3", pixels)))
    with monkeypatch.context() as patched:
        patched.setattr(os, call, full)
        with pytest.raises(Refused) as caught:  # noqa: PT012 - either may raise; the provider then discards
            sink.write([memoryview(what.encoded)])
            sink.finish()
    sink.discard()
    assert caught.value.status == 0xA700
    assert files_below(archive) == []
    assert store(services, what) == 0


def test_space_that_stays_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """S-14: refused before the first byte; everything else goes on."""
    what = sample("1.2.3")
    with Archive(tmp_path, reserve=1 << 62) as archive:
        services = archive.services()
        assert services.sink is not None
        with pytest.raises(Refused) as caught:
            services.sink(store_request(what))
        assert caught.value.status == 0xA700
        assert find(services, "STUDY", StudyInstanceUID="") == []
        assert files_below(archive) == []
    with Archive(tmp_path, reserve=0) as archive:
        assert store(archive.services(), what) == 0


def test_values_are_kept_up_to_a_length(services: Services) -> None:
    long = "x" * 5000
    assert store(services, sample("1.2.3", PIXELS, PatientComments=long * 10, StudyDescription=long)) == 0
    (match,) = find(services, "STUDY", PatientComments="", StudyDescription="x*", StudyInstanceUID="")
    lengths = {element.tag: len(element.value) for element in match.elements()}
    assert (lengths[0x00104000], lengths[0x00081030]) == (10_240, 1024)


@pytest.mark.parametrize("error", [sqlite3.OperationalError("database or disk is full"), KeyboardInterrupt()], ids=repr)
def test_an_index_that_fails_takes_the_file_back(
    archive: Archive, services: Services, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    add = Writing.add

    def fail(self: Writing, *args: object) -> None:
        add(self, *args)  # type: ignore[arg-type]  # passed through
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(Writing, "add", fail)
        with pytest.raises((Refused, KeyboardInterrupt)):
            store(services, sample("1.2.3"))
    assert files_below(archive) == []
    assert archive.counts() == (0, 0, 0, 0)
    assert store(services, sample("1.2.3")) == 0
    assert archive.counts() == (1, 1, 1, 1)


def test_there_is_no_third_durability_and_no_third_way_with_duplicates(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="durability is 'full' or 'relaxed', not 'fast'"):
        Archive(tmp_path / "data", durability="fast")  # type: ignore[arg-type]  # that is the point
    with pytest.raises(ValueError, match="duplicates is 'refuse' or 'replace', not 'keep'"):
        Archive(tmp_path / "data", duplicates="keep")  # type: ignore[arg-type]  # that is the point
    assert not (tmp_path / "data").exists()


def test_an_archive_opened_again_has_what_it_had_and_sweeps_what_was_not_finished(tmp_path: Path) -> None:
    with Archive(tmp_path) as archive:
        store(archive.services(), sample("1.2.3"))
    (tmp_path / "tmp" / "17.part").write_bytes(b"half of a data set")
    with Archive(str(tmp_path)) as archive:
        assert len(files_below(archive)) == 1
        assert archive.counts() == (1, 1, 1, 1)
        assert store(archive.services(), sample("1.2.3", PatientName="Somebody^Else")) == 0x0111
        assert store(archive.services(), sample("1.2.4", SeriesInstanceUID="1.2.3.2", StudyInstanceUID="1.2.3.1")) == 0
        assert archive.counts() == (1, 1, 1, 2)


def test_a_folder_belongs_to_one_archive_at_a_time(tmp_path: Path) -> None:
    with Archive(tmp_path):
        (tmp_path / "tmp" / "0.part").write_bytes(b"being written by the first")
        with pytest.raises(UsageError, match="in use by another running archive"):
            Archive(tmp_path)
        assert (tmp_path / "tmp" / "0.part").exists()
    Archive(tmp_path).close()


def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(fd: int, how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    descriptors = len(os.listdir("/proc/self/fd"))
    with monkeypatch.context() as patched:
        patched.setattr("fcntl.flock", fail)
        with pytest.raises(OSError, match="No locks available"):
            Archive(tmp_path)
    assert len(os.listdir("/proc/self/fd")) == descriptors


def test_many_threads_store_and_search_at_once(archive: Archive, services: Services) -> None:
    def work(thread: int) -> int:
        for number in range(25):
            uid = f"1.2.{number}" if thread % 2 else f"1.3.{thread}.{number}"  # the odd ones all store the same
            assert store(services, sample(uid, StudyInstanceUID="1.2", SeriesInstanceUID=f"1.2.{number % 3}")) == 0
            assert len(find(services, "STUDY", StudyInstanceUID="1.2")) == 1
        return thread

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, range(4))) == [0, 1, 2, 3]
    assert archive.counts() == (1, 1, 3, 75)
    assert len(files_below(archive)) == 75


def test_a_system_call_that_writes_less_than_it_was_given(archive: Archive, services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    writev = os.writev
    monkeypatch.setattr(
        os, "writev", lambda fd, pieces: writev(fd, [memoryview(pieces[0])[:70], *([] if len(pieces[0]) > 70 else pieces[1:])])
    )
    what = sample("1.2.3")
    assert store(services, what) == 0
    assert kept(archive, "1.2.3") == what.encoded


def test_series_that_are_no_longer_remembered_are_found_again(
    archive: Archive, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dimse.archive.index._REMEMBERED", 2)
    for number in range(12):
        uid = f"1.2.{number}"
        assert store(services, sample(uid, b"", StudyInstanceUID="1.2", SeriesInstanceUID=f"1.2.{number % 4}.0")) == 0
    assert archive.counts() == (1, 1, 4, 12)
