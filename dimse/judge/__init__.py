"""The judge: sends a provider what goes wrong in networks, and says what the standard thinks of its answers.

    wire.py     bytes, right and wrong ones: PDUs, items, PDVs, command sets, data sets
    case.py     what a case is: steps, and the outcomes that are allowed; how outcomes are compared
    cases/      the table of all cases
    line.py     one connection to the provider, and what comes back on it in the protocol's words
    trial.py    one case tried on a provider
    runner.py   all cases, the provider's health between them, the summary

    target = Target("pacs", 104, called=b"PACS")
    for finding in Judge(target, CASES).run(): print(finding.verdict, finding.case.id, finding.came)

Nothing here trusts the provider: every wait has its end, and what is kept of an answer is bounded.
"""

from dimse.judge.case import Case, Finding, Verdict
from dimse.judge.cases import CASES, chosen
from dimse.judge.line import Target, Timing
from dimse.judge.runner import Judge, NotServing, summary
from dimse.judge.trial import Trial

__all__ = ["CASES", "Case", "Finding", "Judge", "NotServing", "Target", "Timing", "Trial", "Verdict", "chosen", "summary"]
