"""The search by libFuzzer through atheris, in a process of its own, because it ends its process.

`python -m fuzz.libfuzzer TARGET [libFuzzer's options and folders]` is that process.
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Iterable
from pathlib import Path

from fuzz.mutations import PIECES
from fuzz.search import SLOW, Finding, attempt
from fuzz.store import load, save
from fuzz.target import LONGEST, Target
from fuzz.target import load as load_target

MEGABYTES = 2048
"""Memory that no input may take."""


def is_there() -> bool:
    """Whether atheris is installed."""
    return importlib.util.find_spec("atheris") is not None


class Died(Exception):
    """libFuzzer ended without saying what it has done; the text is what it printed."""


def search(name: str, seed: int, seeds: Iterable[bytes], seconds: float, runs: int | None) -> tuple[int, list[bytes], Finding | None]:
    """Runs libFuzzer: how many executions there were, the inputs worth keeping, and what it found."""
    with tempfile.TemporaryDirectory() as folder:
        corpus, artifacts, words = Path(folder, "corpus"), Path(folder, "artifacts"), Path(folder, "words")
        artifacts.mkdir()
        save(corpus, [data for data in seeds if len(data) <= LONGEST])
        words.write_text("".join(f'"{_escaped(piece)}"\n' for piece in PIECES))
        options = {
            "max_total_time": max(round(seconds), 1), "runs": -1 if runs is None else runs, "seed": seed, "max_len": LONGEST, "dict": words,
            "timeout": round(SLOW), "rss_limit_mb": MEGABYTES, "artifact_prefix": f"{artifacts}/", "print_final_stats": 1,
        }  # fmt: skip
        command = [sys.executable, "-m", "fuzz.libfuzzer", name, *(f"-{key}={value}" for key, value in options.items()), str(corpus)]
        output = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False).stdout
        executions = re.search(r"number_of_executed_units: (\d+)", output)
        found = load(artifacts)
        if executions is None and not found:
            raise Died(output)
        return int(executions[1]) if executions else 0, load(corpus), _finding(load_target(name), found, output)


def _finding(target: Target, found: list[bytes], output: str) -> Finding | None:
    """The finding once more in this process; where it does not come again, as after a crash of the interpreter, what was printed."""
    if not found:
        return None
    return attempt(target, found[0]) or Finding(found[0], RuntimeError(f"not seen again outside of libFuzzer:\n{output[-4000:]}"))


def _escaped(piece: bytes) -> str:
    return "".join(f"\\x{byte:02X}" for byte in piece)


def _main() -> None:
    import atheris

    name = sys.argv.pop(1)
    with atheris.instrument_imports(include=["pdu", "dimse"]):
        target = load_target(name)
    atheris.Setup(sys.argv, lambda data: deque(target.check(data), 0))
    atheris.Fuzz()


if __name__ == "__main__":
    _main()
