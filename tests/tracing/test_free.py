"""A trace that is off costs nothing: counted in calls, for time is no measure on a machine that others use."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import dimse.association.layer as layers
import pdu
from dimse.association.events import Trace
from tests.association import scenes
from tests.association.scenes import bring
from tests.vectors import raw_pdu, raw_pdv

PDU = raw_pdu(4, raw_pdv(1, 0, bytes(16_000)))
COUNT = 200
HOUSE = tuple(str(Path(module.__file__ or "").parents[depth]) for module, depth in ((layers, 1), (pdu, 0)))
"""Where the modules are whose calls count."""


def calls(action: Callable[[], object]) -> Counter[tuple[str, str]]:
    """The calls of this house's functions, and resumptions of generators, by module and name."""
    made: Counter[tuple[str, str]] = Counter()

    def note(frame: FrameType, event: str, arg: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(HOUSE):
            made[Path(frame.f_code.co_filename).name, frame.f_code.co_name] += 1

    gc.collect()  # what other tests left behind may have calls to make when it goes
    gc.disable()
    sys.setprofile(note)
    try:
        action()
    finally:
        sys.setprofile(None)
        gc.enable()
    return made


def receiving(trace: Trace | None) -> Counter[tuple[str, str]]:
    """The calls of receiving many PDUs in one chunk each."""
    layer = bring(6, is_requestor=False, trace=trace)
    return calls(lambda: [layer.receive(PDU) for _ in range(COUNT)])


def sending(trace: Trace | None) -> Counter[tuple[str, str]]:
    """The calls of sending a long data set."""
    layer = bring(6, is_requestor=True, trace=trace)
    data = bytes(COUNT * 16_000)
    return calls(lambda: [None for _ in layer.send_message(1, b"command!", len(data), scenes.source_of(data))])


def of_a_trace(made: Counter[tuple[str, str]]) -> int:
    """How many of the calls belong to tracing."""
    return sum(count for (module, _), count in made.items() if module in ("witness.py", "describe.py", "file.py", "violations.py"))


def test_nothing_of_a_trace_is_called_when_it_is_off() -> None:
    assert of_a_trace(receiving(None)) == of_a_trace(sending(None)) == 0
    assert of_a_trace(receiving(lambda record: None)) >= COUNT  # which shows that these are the calls to look at
    assert of_a_trace(sending(lambda record: None)) >= COUNT


def test_a_pdu_takes_four_calls_when_it_is_off() -> None:
    made = receiving(None)
    assert made["layer.py", "receive"] == made["layer.py", "_receive"] == COUNT
    # `feed` runs to its fragment and on to its end
    assert made.total() == 4 * COUNT


def test_the_test_is_whether_there_is_a_witness() -> None:
    """The one line that a trace adds to each chunk, and the condition that it adds to each fragment, are `is None`."""
    text = Path(layers.__file__).read_text(encoding="utf-8")
    receive = text[text.index("    def receive(") : text.index("    def receive_eof(")]
    assert "        if self._witness is None:\n            return self._receive(chunk)\n" in receive
    assert bring(6, is_requestor=True)._witness is None


def test_neither_json_nor_descriptions_are_loaded_without_a_trace() -> None:
    program = "import dimse, sys; print({'json', 'dimse.tracing.describe', 'dimse.association.violations'} & set(sys.modules))"
    bare = {name: value for name, value in os.environ.items() if not name.startswith("COV")}  # measuring itself loads json
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60, cwd=root, env=bare)
    assert done.stdout == "set()\n"
