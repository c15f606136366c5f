"""The search itself: it finds what is planted, the same with the same seed, and tells it so that it can be found again."""

from __future__ import annotations

import contextlib
import random
import re
import time
from pathlib import Path

import pytest

import fuzz.__main__
from fuzz import libfuzzer, store
from fuzz.choices import Choices, text
from fuzz.lines import Lines
from fuzz.mutations import MUTATIONS, mutate
from fuzz.search import Finding, Search, TooSlow, attempt, minimal, shrink
from fuzz.target import LONGEST, Features, Target


def planted(data: bytes) -> Features:
    """Breaks on four bytes that are found one by one."""
    for found, byte in enumerate(b"FUZZ"):
        if len(data) <= found or data[found] & 7 != byte & 7:
            return (found,)
    raise RuntimeError("planted")


PLANTED = Target(planted, lambda: [b"a seed of some length", b""], ("pdu.errors",))


def _search(seed: int = 1) -> Search:
    search = Search(PLANTED, seed)
    search.run(PLANTED.seeds(), 60.0, 1_000_000)
    return search


def test_what_is_planted_is_found_and_shrunk() -> None:
    finding = _search().finding
    assert finding is not None
    assert str(finding.error) == "planted"
    assert len(shrink(PLANTED, finding).data) == 4


def test_the_same_seed_goes_the_same_way() -> None:
    one, other, third = _search(), _search(), _search(2)
    assert (one.executions, one.kept) == (other.executions, other.kept)
    assert one.executions != third.executions


def test_runs_end_a_search() -> None:
    search = Search(PLANTED, 1)
    search.run(PLANTED.seeds(), 60.0, 1)
    assert search.executions == 1


def test_only_what_shows_something_new_is_kept() -> None:
    kept, _ = minimal(PLANTED, [b"F", b"FU", b"FUZ", b"Fx", b"x", b"xx", b"FUZzz", b"FUZZ"])
    assert kept == [b"F", b"x", b"FU", b"FUZ"]


def test_an_input_that_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fuzz.search.SLOW", 0.01)
    target = Target(forever, list, ())
    finding = attempt(target, b"abc")
    assert finding is not None
    assert isinstance(finding.error, TooSlow)
    assert shrink(target, finding) is finding


def forever(data: bytes) -> Features:
    """Takes 30 seconds, and forgives exceptions as what calls handlers does."""
    end = time.monotonic() + 30
    with contextlib.suppress(Exception):
        while time.monotonic() < end:
            sum(range(1000))
    return ()


def test_lines_of_a_module_are_counted_as_they_run() -> None:
    from pdu.codes import abort_words

    lines = Lines(("pdu.codes",))
    assert lines.total > 5
    assert lines.fresh == 0
    with lines:
        abort_words(2, 1)
    first = lines.fresh
    assert 0 < first < lines.total
    with lines:
        abort_words(2, 1)
    assert lines.fresh == first


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.__name__)
@pytest.mark.parametrize("data", [b"", b"a", bytes(range(100))], ids=len)
def test_every_mutation_takes_every_input(mutation: object, data: bytes) -> None:
    assert callable(mutation)
    for seed in range(200):
        mutation(random.Random(seed), bytearray(data), [b"", b"other", data])


def test_inputs_stay_short() -> None:
    assert max(len(mutate(random.Random(seed), bytes(LONGEST), [bytes(LONGEST)])) for seed in range(100)) == LONGEST


def test_choices_end_quietly() -> None:
    choices = Choices(b"\1" + text(b"abc") + b"\xff\xff" + b"rest")
    assert (choices.number(), choices.text(), choices.text(), choices.text(), choices.below(7)) == (1, b"abc", b"rest", b"", 0)
    assert not choices


def test_a_finding_comes_back_from_its_file(tmp_path: Path) -> None:
    finding = _search().finding
    assert finding is not None
    path = store.write_finding("reader", 1, finding, tmp_path)
    assert store.read_finding(path) == finding.data
    assert "seed: 1" in path.read_text()
    assert "RuntimeError: planted" in path.read_text()
    raw = tmp_path / "raw"
    raw.write_bytes(b"\0\xff")
    assert store.read_finding(raw) == b"\0\xff"


def test_a_corpus_is_replaced_and_other_files_stay(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    assert store.load(corpus) == []
    store.save(corpus, [b"one", b"two"])
    (corpus / "README").write_bytes(b"mine")
    store.save(corpus, [b"two", b"three"])
    assert sorted(store.load(corpus)) == [b"mine", b"three", b"two"]


def test_the_command_tells_of_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(fuzz.__main__, "load", lambda name: PLANTED)
    monkeypatch.setattr(fuzz.__main__, "_limit_memory", lambda: None)
    assert fuzz.__main__.main(["reader", "--engine", "own", "--runs", "1000000"]) == 1
    told = capsys.readouterr()
    assert re.search(r"^bytes: [0-9a-f]{8}$", told.out, re.MULTILINE)
    assert told.out.endswith("1 finding\n")
    assert "RuntimeError: planted" in told.err
    (written,) = (tmp_path / ".fuzz").glob("reader-*.txt")
    assert fuzz.__main__.main(["reader", "--replay", str(written)]) == 1
    assert capsys.readouterr().out == "still there\n"


def test_the_command_is_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    sound = Target(lambda data: (len(data) % 3,), lambda: [b"abc"], ("pdu.codes",))
    monkeypatch.setattr(fuzz.__main__, "load", lambda name: sound)
    monkeypatch.setattr(fuzz.__main__, "_limit_memory", lambda: None)
    corpus = tmp_path / "corpus"
    assert fuzz.__main__.main(["reader", "--engine", "own", "--runs", "100", "--corpus", str(corpus)]) == 0
    assert capsys.readouterr().out.startswith("reader (own): 100 executions, ")
    assert len(store.load(corpus)) == 3
    assert fuzz.__main__.main(["reader", "--replay", str(next(corpus.iterdir()))]) == 0


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["nothing"], "invalid choice: 'nothing'"),
        (["reader", "--seconds", "nan"], "argument --seconds: invalid"),
        (["reader", "--seconds", "0"], "argument --seconds: invalid"),
        (["reader", "--engine", "own", "--corpus", "file"], "cannot keep a corpus in file: File exists"),
        (["reader", "--engine", "atheris"], "atheris is not installed"),
        (["reader", "--replay", "missing"], "cannot read missing: No such file or directory"),
        (["reader", "--replay", "file"], "what stands behind 'bytes:' in file is not hexadecimal"),
    ],
)
def test_wrong_arguments_are_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], why: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(libfuzzer, "is_there", lambda: False)
    Path("file").write_text("bytes:\nfuzz\n")
    with pytest.raises(SystemExit) as ended:
        fuzz.__main__.main(words)
    assert ended.value.code == 2
    assert why in capsys.readouterr().err


def test_a_finding_keeps_its_place() -> None:
    one, other = attempt(PLANTED, b"FUZZ"), attempt(PLANTED, b"FUZZ and more")
    assert isinstance(one, Finding)
    assert isinstance(other, Finding)
    assert one.place == other.place
