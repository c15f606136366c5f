"""`dimse serve` in a process of its own, as an operator runs it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass
class Node:
    """A node that runs. `announced` is its start-up line; `lines` gives what it says next, and waits for it."""

    process: subprocess.Popen[str]
    announced: str
    port: int
    errors: Path

    def line(self) -> str:
        """The next line on its standard output."""
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def stop(self) -> tuple[str, str]:
        """Ends it as an operator does: what else it said, and what it said on standard error."""
        self.process.terminate()
        said, _ = self.process.communicate(timeout=60)
        assert self.process.returncode == 0
        return said, self.errors.read_text(encoding="utf-8")


@contextmanager
def node(folder: Path, *words: str | Path, program: tuple[str, ...] = ("-m", "dimse")) -> Iterator[Node]:
    """A node for the time of a block, with its data and what it says on standard error in that folder."""
    errors = folder / "errors.txt"
    line = [sys.executable, *program, "serve", "--port", "0", "--data", str(folder / "data"), *map(str, words)]
    with (
        errors.open("w", encoding="utf-8") as file,
        subprocess.Popen(line, stdout=subprocess.PIPE, stderr=file, text=True, cwd=ROOT) as process,
    ):
        try:
            assert process.stdout is not None
            announced = process.stdout.readline()
            found = re.search(r" at [\d.]+:(\d+), data in |\"port\": (\d+)", announced)
            assert found, errors.read_text(encoding="utf-8")
            yield Node(process, announced, int(found[1] or found[2]), errors)
        finally:
            if process.poll() is None:
                process.kill()
