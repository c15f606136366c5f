"""`dimse echo --explain`: what was proposed, what was answered, and what is to be thought of each presentation context."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import attrgetter

from dimse.association.events import Trace, TraceRecord
from dimse.association.negotiation import AcceptedContext, Context, RefusedContext
from dimse.blocking import Association
from dimse.cli.options import answers
from dimse.cli.output import Output, clean, plural
from dimse.cli.peer import Target, context_words
from dimse.cli.timeline import Entry, uid_words, user_words, words_of
from dimse.data import uids
from dimse.data.uids import DEFAULT_TRANSFER_SYNTAXES, UID
from dimse.errors import explained
from dimse.services.options import QueryOption, options_of
from dimse.tracing import Lines
from pdu.values import replace

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
OPTIONS: dict[str, bytes] = {uid: QueryOption.encode(*options_of(uid)) for uid in QUERIES if uid != uids.ModalityWorklistFind}
"""The options of queries and retrievals to ask for (PS3.4 C.5)."""
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
        """The same target, whose negotiation is kept here, with a window and all options of queries to ask for."""
        return replace(target, trace=self._beside(target.trace), operations=OPERATIONS, extended=OPTIONS)

    def tell(self, target: Target, association: Association, out: Output) -> None:
        """Prints what was proposed, what was answered, and the judgement of each context."""
        self._tell_proposal(target, out)
        self._tell_answer(out)
        self._tell_contexts(association, out)
        self._result(target, list(_judged(association)), None, out)

    def tell_failed(self, target: Target, why: str, out: Output) -> None:
        """Prints what was proposed, and what came instead of an acceptance. `why` there is no association, as a sentence."""
        self._tell_proposal(target, out)
        for context in self.request.get("contexts", ()):
            out.line(f"  context {context['id']:<3} proposed  {context_words(context['abstract_syntax'], context['transfer_syntaxes'])}")
        if self.request:
            self._tell_answer(out)
            out.line("no presentation context accepted, for there is no association")
        self._result(target, [], why, out)

    def _tell_proposal(self, target: Target, out: Output) -> None:
        contexts = self.request.get("contexts")
        nobody = "nothing was asked, for nobody was there"
        out.line(f"to {target} from {target.calling}: " + (nobody if contexts is None else f"{_count(contexts)} proposed"))
        for item in self.request.get("user", ()):
            out.line(f"  this side  {user_words(item)}")

    def _tell_answer(self, out: Output) -> None:
        if "contexts" not in self.answer:
            out.line(f"  the peer   {words_of(self.answer)[0] if self.answer else 'answered nothing'}")
        for item in self.answer.get("user", ()):
            out.line(f"  the peer   {user_words(item)}")
        for violation in self.answer.get("violations", ()):
            out.line(f"  !!         the peer's answer: {clean(violation['what'])} ({clean(violation['clause'])})")

    def _tell_contexts(self, association: Association, out: Output) -> None:
        agreement = association.session.agreement
        longest = (
            f"PDUs of at most {agreement.max_pdu_acceptor or 'any'} bytes to the peer, {agreement.max_pdu_requestor or 'any'} to this side"
        )
        window = plural(agreement.operations, "operation") if agreement.operations else "any number of operations"
        out.line(f"  agreed     {longest}; {window} at once")
        usable = {context.abstract_syntax for context in association.accepted}
        for uid, granted, missing in answers(OPTIONS, association.extended):
            if uid in usable:
                out.line(f"  options    {uid.name}: {granted or 'nothing'} granted{f', not {missing}' if missing else ''}")
        contexts: list[AcceptedContext | RefusedContext] = [*association.accepted, *association.refused]
        proposed = {context["id"]: context["transfer_syntaxes"] for context in self.request["contexts"]}
        for context in sorted(contexts, key=attrgetter("id")):
            out.line(f"  context {context.id:<3} {_judgement(context, proposed[context.id])}")
        out.line(f"{len(association.accepted)} of {_count(contexts)} accepted")

    def _result(self, target: Target, contexts: list[dict[str, object]], why: str | None, out: Output) -> None:
        asked = {"request": self.request or None, "answer": self.answer or None}
        out.result({"explain": {**target.fields, **asked, "contexts": contexts, "failure": why}})

    def _note(self, entry: Entry) -> None:
        """Keeps the request, and what came first."""
        if "pdu" in entry and entry["direction"] == "out" and not self.request:
            self.request = entry
        elif entry["direction"] == "in" and not self.answer:
            self.answer = entry

    def _beside(self, trace: Trace | None) -> Trace:
        def tell(record: TraceRecord) -> None:
            self._lines(record)
            if trace is not None:
                trace(record)

        return tell


def _count(contexts: Sequence[object]) -> str:
    return plural(len(contexts), "presentation context")


def _judgement(context: AcceptedContext | RefusedContext, proposed: Sequence[str]) -> str:
    """What was proposed, what was answered, and what it means."""
    if isinstance(context, RefusedContext):
        return f"refused   {context_words(context.context.abstract_syntax, context.context.transfer_syntaxes)}: {context.explained}"
    others = [uid_words(uid) for uid in proposed if uid != context.transfer_syntax]
    instead = f" (rather than {' or '.join(others)})" if others else ""
    roles = " and ".join(name for name, has in (("SCU", context.scu), ("SCP", context.scp)) if has) or "nothing"
    return f"accepted  {context_words(context.abstract_syntax, [context.transfer_syntax])}{instead}, this side as {roles}"


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
