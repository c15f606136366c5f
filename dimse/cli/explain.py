"""`dimse echo --explain`: what was proposed, what was answered, and what is to be thought of each presentation context."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from operator import attrgetter

from dimse.association.events import Trace, TraceRecord
from dimse.association.negotiation import AcceptedContext, Context, RefusedContext
from dimse.blocking import Association
from dimse.cli.output import Output, clean, plural
from dimse.cli.peer import Target, context_words
from dimse.cli.timeline import Entry, user_words
from dimse.data import uids
from dimse.data.uids import DEFAULT_TRANSFER_SYNTAXES, UID
from dimse.errors import explained
from dimse.tracing import Lines

QUERIES = (
    uids.PatientRootFind, uids.PatientRootMove, uids.PatientRootGet, uids.StudyRootFind, uids.StudyRootMove, uids.StudyRootGet,
    uids.ModalityWorklistFind,
)  # fmt: skip
STORAGE = (
    uids.ComputedRadiographyImageStorage, uids.DigitalXRayImageStorageForPresentation, uids.CTImageStorage, uids.MRImageStorage,
    uids.UltrasoundImageStorage, uids.SecondaryCaptureImageStorage, uids.EncapsulatedPDFStorage, uids.BasicTextSRStorage,
)  # fmt: skip
COMPRESSED = (
    uids.JPEGBaseline8Bit, uids.JPEGLosslessSV1, uids.JPEGLSLossless, uids.JPEG2000Lossless, uids.HTJ2KLossless, uids.RLELossless,
    uids.DeflatedExplicitVRLittleEndian,
)  # fmt: skip
"""Each is proposed in a context of its own, for of several in one the answer names a single one."""
OPERATIONS = 16
"""The asynchronous operations window to ask for, which most peers do not grant."""


def probes() -> list[Context]:
    """What is proposed to learn what a peer offers: Verification, the queries, common storage, and CT in compressed syntaxes.

    The roles of a C-GET are proposed for secondary captures only: some peers are known to stumble over them.
    """
    plain = [Context(uid, DEFAULT_TRANSFER_SYNTAXES, scp=uid == uids.SecondaryCaptureImageStorage) for uid in STORAGE]
    queries = [Context(uid, DEFAULT_TRANSFER_SYNTAXES) for uid in (uids.Verification, *QUERIES)]
    return [*queries, *plain, *(Context(uids.CTImageStorage, (syntax,)) for syntax in COMPRESSED)]


class Negotiation:
    """The two PDUs of one negotiation, as its trace tells of them."""

    def __init__(self) -> None:
        self.request: Entry = {}
        self.answer: Entry = {}
        self._lines = Lines(self._note)

    def watched(self, target: Target) -> Target:
        """The same target, whose negotiation is kept here, with a window to ask for."""
        return replace(target, trace=self._beside(target.trace), operations=OPERATIONS)

    def tell(self, target: Target, association: Association | None, out: Output) -> None:
        """Prints all of it. Without an association, what was proposed and what came instead of an acceptance."""
        contexts = self.request.get("contexts", [])
        out.line(f"asked {target} as {target.calling}: {plural(len(contexts), 'presentation context')} proposed")
        for who, pdu in (("this side", self.request), ("the peer", self.answer)):
            for item in pdu.get("user", ()):
                out.line(f"  {who:9}  {user_words(item)}")
        if association is not None:
            self._tell_contexts(association, out)
        for violation in self.answer.get("violations", ()):
            out.line(f"  !! the peer's answer: {clean(violation['what'])} ({violation['clause']})")
        judged = [] if association is None else list(_judged(association))
        out.result({"explain": {**target.fields, "request": self.request, "answer": self.answer or None, "contexts": judged}})

    def _tell_contexts(self, association: Association, out: Output) -> None:
        agreement = association.session.agreement
        longest = (
            f"PDUs of at most {agreement.max_pdu_acceptor or 'any'} bytes to the peer, {agreement.max_pdu_requestor or 'any'} to this side"
        )
        window = plural(agreement.operations, "operation") if agreement.operations else "any number of operations"
        out.line(f"  agreed     {longest}; {window} at once")
        contexts: list[AcceptedContext | RefusedContext] = [*association.accepted, *association.refused]
        for context in sorted(contexts, key=attrgetter("id")):
            out.line(f"  context {context.id:<3} {_judgement(context)}")
        out.line(f"{len(association.accepted)} of {plural(len(contexts), 'presentation context')} accepted")

    def _note(self, entry: Entry) -> None:
        """Keeps the request, and what came first."""
        if "pdu" in entry and entry["direction"] == "out" and not self.request:
            self.request = entry
        elif "pdu" in entry and entry["direction"] == "in" and not self.answer:
            self.answer = entry

    def _beside(self, trace: Trace | None) -> Trace:
        def tell(record: TraceRecord) -> None:
            self._lines(record)
            if trace is not None:
                trace(record)

        return tell


def _judgement(context: AcceptedContext | RefusedContext) -> str:
    if isinstance(context, RefusedContext):
        return f"refused   {context_words(context.context.abstract_syntax, context.context.transfer_syntaxes)}: {context.explained}"
    roles = " and ".join(name for name, has in (("SCU", context.scu), ("SCP", context.scp)) if has) or "nothing"
    return f"accepted  {context_words(context.abstract_syntax, [context.transfer_syntax])}, this side as {roles}"


def _judged(association: Association) -> Iterator[dict[str, object]]:
    """The judgements in JSON."""
    for accepted in association.accepted:
        roles = {"scu": accepted.scu, "scp": accepted.scp}
        yield {**_named(accepted.id, accepted.abstract_syntax), "transfer_syntax": accepted.transfer_syntax, **roles, **_result(0)}
    for refused in association.refused:
        yield {**_named(refused.id, refused.context.abstract_syntax), "transfer_syntax": None, **_result(refused.result)}


def _named(id: int, abstract_syntax: str) -> dict[str, object]:
    return {"id": id, "abstract_syntax": abstract_syntax, "name": UID(abstract_syntax).name}


def _result(result: int) -> dict[str, object]:
    return {"accepted": result == 0, "result": result, "explained": explained(result)}
