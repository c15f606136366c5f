"""Asking archives the same question by findscu and by `dimse find`, and reading both kinds of answers alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from pydicom import dcmread

from .peers import Address, dimse, run, to
from .samples import Samples

PATIENT_KEYS = ("PatientName", "PatientID", "PatientBirthDate")
PATIENT_QUERY = """\
# all patients
(0008,0052) CS [PATIENT]                 # QueryRetrieveLevel
(0010,0010) PN (no value available)      # PatientName
(0010,0020) LO (no value available)      # PatientID
(0010,0030) DA (no value available)      # PatientBirthDate
"""

Answer = dict[str, str]


def ask_findscu(folder: Path, address: Address, *options: str, keys: Sequence[str], query: Path | None = None) -> list[Answer]:
    """The answers that findscu got, which it keeps as DICOM files, sorted."""
    folder.mkdir()
    run("findscu", "-X", "-od", folder, *options, *to(address), *([query] if query else []))
    answers = (dcmread(path, force=True) for path in sorted(folder.glob("rsp*.dcm")))
    return _sorted({key: str(answer.get(key, "")) for key in keys} for answer in answers)


def ask_dimse(address: Address, *options: str, keys: Sequence[str], query: Path | None = None) -> list[Answer]:
    """The answers that `dimse find --json` prints, one object a line, sorted."""
    found = dimse("find", "--json", *options, *to(address), *([query] if query else [])).json_lines()
    return _sorted({key: str(match.get(key, "")) for key in keys} for match in found)


def named(samples: Samples, name: str, *keys: str) -> list[Answer]:
    """The answers that the files say are right: one for every different combination of the keys, patient names beginning so."""
    matching = (dcmread(file.path, stop_before_pixels=True) for file in samples.files if file.patient_name.startswith(name))
    different = {tuple(str(dataset.get(key, "")) for key in keys) for dataset in matching}
    return _sorted(dict(zip(keys, values, strict=True)) for values in different)


def _sorted(answers: Iterable[Answer]) -> list[Answer]:
    return sorted(answers, key=lambda answer: sorted(answer.items()))
