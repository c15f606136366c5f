"""Made-up instances to send: small, the same in every run, of the kinds that peers treat differently."""

from __future__ import annotations

import io
import random
import struct
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import dcmwrite, write_dataset
from pydicom.uid import (
    UID,
    CTImageStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    MRImageStorage,
    SecondaryCaptureImageStorage,
)

NAMESPACE = uuid.UUID("6f6e6c79-6d61-4465-a570-646174612121")


@dataclass(frozen=True)
class Sample:
    """One file and what a test asks about it."""

    path: Path
    patient_name: str
    patient_id: str
    study: str
    series: str
    sop_class: str
    sop_instance: str
    transfer_syntax: str

    @property
    def data(self) -> bytes:
        """The data set as it lies in the file."""
        file = self.path.read_bytes()
        (length,) = struct.unpack_from("<I", file, 140)
        return file[144 + length :]

    def equals(self, transfer_syntax: str, data: bytes) -> bool:
        """Whether a data set is this one: the same bytes, or those in another encoding, into which DCMTK's clients convert."""
        if transfer_syntax == self.transfer_syntax:
            return data == self.data
        return _encoded(_decoded(data, transfer_syntax), self.transfer_syntax) == self.data


@dataclass(frozen=True)
class Samples:
    """A folder of files: three patients, four studies, seven series."""

    folder: Path
    files: tuple[Sample, ...]

    def of_study(self, study: str) -> list[Sample]:
        return [file for file in self.files if file.study == study]

    def named(self, name: str) -> list[Sample]:
        """Those of the patients whose name starts so."""
        return [file for file in self.files if file.patient_name.startswith(name)]

    def uids(self, study: str) -> set[str]:
        """The SOP Instance UIDs of a study."""
        return {file.sop_instance for file in self.of_study(study)}


@dataclass(frozen=True)
class Series:
    """How the instances of one series look."""

    patient: tuple[str, str, str]  # name, id, birth date
    study: str
    series: str
    count: int
    sop_class: UID = CTImageStorage
    transfer_syntax: UID = ExplicitVRLittleEndian
    size: int = 16
    character_set: str | list[str] = "ISO_IR 100"


ILSE = ("Hartgard^Ilse", "HG-1", "19610412")
BORIS = ("Hartgardt^Boris", "HG-2", "19350930")
NEZU = ("Nezu^Mitsu=根津^光", "NZ-7", "19880229")

SERIES = (
    Series(ILSE, "ilse-head", "axial", 3),
    Series(ILSE, "ilse-head", "scout", 1, transfer_syntax=ImplicitVRLittleEndian),
    Series(ILSE, "ilse-knee", "t1", 2, sop_class=MRImageStorage, transfer_syntax=ImplicitVRLittleEndian),
    Series(ILSE, "ilse-knee", "photo", 1, sop_class=SecondaryCaptureImageStorage, transfer_syntax=JPEGBaseline8Bit),
    Series(BORIS, "boris-chest", "thin", 1, size=512),
    Series(BORIS, "boris-chest", "thick", 2),
    Series(NEZU, "nezu-head", "axial", 2, character_set=["", "ISO 2022 IR 87"]),
)


def write_samples(folder: Path) -> Samples:
    """Write all of SERIES below the folder, a subfolder a study."""
    return Samples(folder, tuple(_write(folder, series, number) for series in SERIES for number in range(1, series.count + 1)))


def write_many(folder: Path, count: int) -> Samples:
    """Write one series of many small instances."""
    series = Series(BORIS, "boris-many", "many", count)
    return Samples(folder, tuple(_write(folder, series, number) for number in range(1, count + 1)))


def write_large(path: Path, size: int) -> Path:
    """Write one instance whose pixel data are `size` bytes of nothing, as a hole in the file."""
    dataset = _dataset(Series(BORIS, "boris-large", "large", 1), 1)
    del dataset.PixelData
    path.parent.mkdir(parents=True, exist_ok=True)
    dcmwrite(path, dataset, enforce_file_format=True)
    with path.open("ab") as file:
        file.write(struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, size))
        file.truncate(file.tell() + size)
    return path


def assert_keeps(kept: Mapping[str, tuple[str, bytes]], wanted: Iterable[Sample]) -> None:
    """Somebody keeps exactly these instances, by SOP Instance UID, each with its own data set."""
    files = {file.sop_instance: file for file in wanted}
    assert set(kept) == set(files)
    assert [files[uid].path.name for uid, instance in kept.items() if not files[uid].equals(*instance)] == []


def made_uid(*names: object) -> UID:
    """The same UID for the same names (PS3.5 B.2: below 2.25, from a UUID)."""
    return UID(f"2.25.{uuid.uuid5(NAMESPACE, '/'.join(map(str, names))).int}")


def _decoded(data: bytes, transfer_syntax: str) -> Dataset:
    syntax = UID(transfer_syntax)
    return read_dataset(io.BytesIO(data), syntax.is_implicit_VR, syntax.is_little_endian)


def _encoded(dataset: Dataset, transfer_syntax: str) -> bytes:
    written, syntax = DicomBytesIO(), UID(transfer_syntax)
    written.is_implicit_VR, written.is_little_endian = syntax.is_implicit_VR, syntax.is_little_endian
    write_dataset(written, dataset)
    return written.getvalue()


def _write(folder: Path, series: Series, number: int) -> Sample:
    dataset = _dataset(series, number)
    path = folder / series.study / f"{series.series}-{number:03}.dcm"
    path.parent.mkdir(parents=True, exist_ok=True)
    dcmwrite(path, dataset, enforce_file_format=True)
    return Sample(
        path,
        series.patient[0],
        series.patient[1],
        str(dataset.StudyInstanceUID),
        str(dataset.SeriesInstanceUID),
        str(series.sop_class),
        str(dataset.SOPInstanceUID),
        str(series.transfer_syntax),
    )


def _dataset(series: Series, number: int) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = series.transfer_syntax
    dataset.file_meta.ImplementationClassUID = made_uid("implementation")
    dataset.SpecificCharacterSet = series.character_set
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.SOPClassUID = series.sop_class
    dataset.SOPInstanceUID = made_uid(series.study, series.series, number)
    dataset.StudyDate, dataset.StudyTime = "20240229", "101500"
    dataset.AccessionNumber = str(made_uid(series.study))[-8:]
    dataset.Modality = {CTImageStorage: "CT", MRImageStorage: "MR"}.get(series.sop_class, "OT")
    dataset.ReferringPhysicianName = "Quendel^Ada"
    dataset.StudyDescription, dataset.SeriesDescription = series.study.upper(), series.series.upper()
    dataset.ReferencedStudySequence = [_reference(series)]
    dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate = series.patient
    dataset.PatientSex = "O"
    dataset.StudyInstanceUID = made_uid(series.study)
    dataset.SeriesInstanceUID = made_uid(series.study, series.series)
    dataset.StudyID, dataset.SeriesNumber, dataset.InstanceNumber = "1", 1, number
    _add_pixels(dataset, series, number)
    return dataset


def _reference(series: Series) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = "1.2.840.10008.3.1.2.3.1"
    item.ReferencedSOPInstanceUID = made_uid(series.study, "reference")
    return item


def _add_pixels(dataset: Dataset, series: Series, number: int) -> None:
    """Noise of the size asked for; for JPEG a frame that only begins and ends like one, which nobody on the way may look into."""
    noise = random.Random(f"{series.study}/{series.series}/{number}")
    jpeg = series.transfer_syntax == JPEGBaseline8Bit
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows = dataset.Columns = series.size
    dataset.BitsAllocated = dataset.BitsStored = 8 if jpeg else 16
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = 0
    if jpeg:
        dataset.PixelData = encapsulate([b"\xff\xd8\xff\xe0" + noise.randbytes(900) + b"\xff\xd9"])
        dataset["PixelData"].VR = "OB"
        dataset["PixelData"].is_undefined_length = True
    else:
        dataset.add_new(0x7FE00010, "OW", noise.randbytes(series.size * series.size * 2))
