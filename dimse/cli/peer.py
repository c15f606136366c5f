"""An association as the client commands ask for it, with its ends turned into exit codes and clear lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import pdu
from dimse.association.config import Limits, Timeouts
from dimse.blocking import Association, connect
from dimse.cli import arguments
from dimse.cli.failures import FAILED, Failure, broken, no_association
from dimse.cli.output import Output, clean, place
from dimse.cli.parsing import Arguments
from dimse.data.uids import UID
from dimse.errors import AssociationError, ContextRefused, OperationFailed, ProtocolError
from pdu.typed import TYPE_CHECKING
from pdu.values import dataclass, field, replace

if TYPE_CHECKING:
    from dimse.association.events import Trace
    from dimse.association.negotiation import Context
    from dimse.services.security import TLS
    from dimse.services.users import Identity


@dataclass(frozen=True, slots=True)
class Target:
    """Whom to call, as the arguments say."""

    host: str
    port: int
    called: str
    calling: str
    timeouts: Timeouts
    limits: Limits
    trace: Trace | None
    operations: int = 1
    tls: TLS | None = None
    identity: Identity | None = None
    extended: Mapping[str, bytes] = field(default_factory=dict)

    @classmethod
    def of(cls, args: Arguments, out: Output) -> Target:
        """The target that the arguments of a client command name. May ask for a passcode. Raises `Failure` (usage)."""
        timeouts, limits = arguments.client_timeouts(args), arguments.limits(args)
        target = cls(args.host, args.port, args.call, args.aetitle, timeouts, limits, args.tracer)
        if not any(getattr(args, option) for option in arguments.SECURITY):
            return target
        from dimse.cli.security import client_tls, identity_of

        tls = client_tls(args, out)
        return replace(target, tls=tls, identity=identity_of(args, tls))

    def asking(self, args: Arguments, models: Iterable[UID]) -> Target:
        """The same target, which is asked for the options of these SOP classes that the arguments name (--relational and so on)."""
        from dimse.cli.options import asked

        return replace(self, extended=asked(args, models))

    def __str__(self) -> str:
        return f"{self.called} at {place(self.host, self.port)}"

    @property
    def fields(self) -> dict[str, object]:
        """The target in JSON."""
        return {"called": self.called, "host": self.host, "port": self.port}

    def connect(self, contexts: Sequence[Context | str], out: Output) -> Association:
        """Opens an association; raises `Failure` (no association)."""
        try:
            association = connect(
                self.host,
                self.port,
                called=self.called,
                calling=self.calling,
                contexts=contexts,
                operations=self.operations,
                tls=self.tls,
                identity=self.identity,
                extended=self.extended,
                timeouts=self.timeouts,
                limits=self.limits,
                trace=self.trace,
            )
        except (AssociationError, ProtocolError) as error:
            raise no_association(str(self), error, is_identified=self.identity is not None) from error
        if out.verbose:
            _tell(self, association, out)
        return association

    def tell_options(self, association: Association, out: Output) -> None:
        """What the peer does not grant, for the answers will not be those that were asked for; with -v also what it does."""
        from dimse.cli.options import answers

        usable = {context.abstract_syntax for context in association.accepted}
        for uid, granted, missing in answers(self.extended, association.extended):
            if missing and uid in usable:
                out.note(f"{out.program}: {self} does not grant {missing} in {uid.name} (PS3.7 D.3.3.5): it answers as without")
            if granted:
                out.detail(f"  granted in {uid.name}: {granted}")


@contextmanager
def associated(target: Target, contexts: Sequence[Context | str], out: Output) -> Iterator[Association]:
    """An association for the time of a block. What ends it early becomes a `Failure`; what only failed in it leaves by release."""
    association = target.connect(contexts, out)
    try:
        yield association
    except (OperationFailed, ContextRefused) as error:
        release(association, out)
        raise Failure(FAILED, _refusal(target, error)) from error
    except (AssociationError, ProtocolError) as error:
        association.abort()
        raise broken(str(target), error) from error
    except BaseException:
        association.abort()
        raise
    release(association, out)


def release(association: Association, out: Output) -> None:
    """Releases. All work is done and answered by then, so that a peer that goes in another way is worth a remark, no more."""
    try:
        association.release()
    except (AssociationError, ProtocolError) as error:
        association.abort()
        out.detail(f"the release did not go in good order: {clean(error)}")


def context_words(abstract_syntax: str, transfer_syntaxes: Sequence[str]) -> str:
    """A presentation context in words."""
    return f"{clean(UID(abstract_syntax).name)} in {' or '.join(clean(UID(t).name) for t in transfer_syntaxes)}"


def _refusal(target: Target, error: OperationFailed | ContextRefused) -> str:
    if isinstance(error, OperationFailed):
        return f"{target}: {error.status.service} failed: {error.status}"
    return f"{target}: {error}"


def _tell(target: Target, association: Association, out: Output) -> None:
    """What was negotiated (-v)."""
    name = association.answer.user_item(pdu.ImplementationVersionName)
    implementation = f" ({clean(name.name)})" if name else ""
    longest = association.session.layer.max_pdu
    out.note(f"associated with {target}{implementation}, PDUs of at most {longest or 'any'} bytes")
    if target.tls is not None or target.identity is not None:
        from dimse.cli.security import told_of_security

        for line in told_of_security(association.session.wire.security, target.identity, association.identity_response):
            out.note(line)
    for accepted in association.accepted:
        out.note(f"  context {accepted.id}: {context_words(accepted.abstract_syntax, [accepted.transfer_syntax])}: accepted")
    for refused in association.refused:
        words = context_words(refused.context.abstract_syntax, refused.context.transfer_syntaxes)
        out.note(f"  context {refused.id}: {words}: refused, {refused.explained}")
