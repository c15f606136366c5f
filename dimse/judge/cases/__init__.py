"""The table of all cases, group by group.

    T  load and time           transport.py
    F  PDUs and the machine    machine.py
    A  negotiation             negotiation.py
    D  messages and data sets  messages.py
    R  endings                 endings.py

What needs certificates or passcodes of the provider's is no case here: T-07 (plain DICOM on a TLS port), X-01 (certificates),
A-24 (who guesses at passcodes). `tests/scenarios` has them for our own provider.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dimse.judge.case import Case
from dimse.judge.cases.endings import ENDINGS
from dimse.judge.cases.machine import MACHINE
from dimse.judge.cases.messages import MESSAGES
from dimse.judge.cases.negotiation import NEGOTIATION
from dimse.judge.cases.transport import TRANSPORT

CASES: tuple[Case, ...] = (*TRANSPORT, *MACHINE, *NEGOTIATION, *MESSAGES, *ENDINGS)


def chosen(only: Iterable[str] = (), *, rough: bool = False, cases: Sequence[Case] = CASES) -> list[Case]:
    """The cases with these ids, scenarios ("F-07") or groups ("F"), or all; rough ones only if `rough`.

    Raises `ValueError` for a name that no case has.
    """
    names = [name.strip().upper() for name in only]
    known = {name for case in cases for name in _names(case)}
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"there is no case {unknown[0]!r}")
    return [case for case in cases if (rough or not case.rough) and (not names or not _names(case).isdisjoint(names))]


def _names(case: Case) -> set[str]:
    return {case.id.upper(), case.scenario, case.group}
