"""A DICOM network stack: associations, DIMSE services as user and provider, an archive node, a command line.

    with dimse.connect("pacs", 104, called="PACS", contexts=[dimse.Verification]) as association:
        print(association.echo())

The floors, each importing only those below it (the README has the map):

    dimse.cli          the command line
    dimse.archive      a node that keeps things
    dimse.blocking     FRONT: sockets, and threads in dimse.server            } the same services
    dimse.aio          FRONT: asyncio                                         }
    dimse.tracing      what passed on associations, as JSON lines in a file
    dimse.services     PS3.7 and PS3.4: what is said, written once for both fronts
    dimse.association  PS3.8: the state machine and negotiation, without I/O
    dimse.data         values: UIDs, statuses, command sets, data sets, files
    pdu                PS3.8 9.3: bytes to values and back
"""

from __future__ import annotations

TYPE_CHECKING = False  # what type checkers take for true; `typing` itself is not needed by most programs
if TYPE_CHECKING:
    from dimse import aio, archive, association, blocking, data, errors, server, services, sockets, streams, tls, tracing  # noqa: F401
    from dimse.association.config import Limits, Timeouts
    from dimse.association.events import TraceRecord
    from dimse.association.layer import UpperLayer
    from dimse.association.negotiation import AcceptedContext, Context, RefusedContext, propose
    from dimse.blocking import Association, connect
    from dimse.data.datasets import DataSet, query
    from dimse.data.protocols import Source
    from dimse.data.sources import BytesSource, FileSource, find_files
    from dimse.data.status import Category, Status
    from dimse.data.uids import (
        UID,
        CTImageStorage,
        ExplicitVRLittleEndian,
        ImplicitVRLittleEndian,
        MRImageStorage,
        PatientRootFind,
        PatientRootGet,
        PatientRootMove,
        SecondaryCaptureImageStorage,
        StudyRootFind,
        StudyRootGet,
        StudyRootMove,
        Verification,
    )
    from dimse.errors import (
        Aborted,
        AssociationError,
        ConnectionLost,
        ContextRefused,
        DataError,
        DimseError,
        OperationFailed,
        ProtocolError,
        Refused,
        Rejected,
        TimedOut,
        TLSFailed,
        Unreachable,
        UsageError,
    )
    from dimse.server import Server
    from dimse.services.getting import GetResult
    from dimse.services.handlers import Address, Peer, Request, Services, Sink, User
    from dimse.services.options import QueryOption
    from dimse.services.passcodes import Passcodes
    from dimse.services.plan import batches, contexts_for, contexts_for_get
    from dimse.services.rights import Caller, Callers, Right
    from dimse.services.scp import Report
    from dimse.services.scu import MoveResult, Progress
    from dimse.services.security import TLS, Certificate, Security
    from dimse.services.sinks import FolderSink
    from dimse.services.users import Identity, Users
    from dimse.tracing import TraceFile

__version__ = "0.1.0"

__all__ = [
    "UID",
    "Aborted",
    "AcceptedContext",
    "Address",
    "Association",
    "AssociationError",
    "BytesSource",
    "CTImageStorage",
    "Caller",
    "Callers",
    "Category",
    "Certificate",
    "ConnectionLost",
    "Context",
    "ContextRefused",
    "DataError",
    "DataSet",
    "DimseError",
    "ExplicitVRLittleEndian",
    "FileSource",
    "FolderSink",
    "GetResult",
    "Identity",
    "ImplicitVRLittleEndian",
    "Limits",
    "MRImageStorage",
    "MoveResult",
    "OperationFailed",
    "Passcodes",
    "PatientRootFind",
    "PatientRootGet",
    "PatientRootMove",
    "Peer",
    "Progress",
    "ProtocolError",
    "QueryOption",
    "RefusedContext",
    "Refused",
    "Rejected",
    "Report",
    "Request",
    "Right",
    "SecondaryCaptureImageStorage",
    "Security",
    "Server",
    "Services",
    "Sink",
    "Source",
    "Status",
    "StudyRootFind",
    "StudyRootGet",
    "StudyRootMove",
    "TLS",
    "TLSFailed",
    "TimedOut",
    "Timeouts",
    "TraceFile",
    "TraceRecord",
    "Unreachable",
    "UpperLayer",
    "User",
    "UsageError",
    "Users",
    "Verification",
    "batches",
    "connect",
    "contexts_for",
    "contexts_for_get",
    "find_files",
    "propose",
    "query",
]

PLACES = {
    # module: the public names that it defines
    "dimse.association.config": "Limits Timeouts",
    "dimse.association.events": "TraceRecord",
    "dimse.association.layer": "UpperLayer",
    "dimse.association.negotiation": "AcceptedContext Context RefusedContext propose",
    "dimse.blocking": "Association connect",
    "dimse.data.datasets": "DataSet query",
    "dimse.data.protocols": "Source",
    "dimse.data.sources": "BytesSource FileSource find_files",
    "dimse.data.status": "Category Status",
    "dimse.data.uids": "UID CTImageStorage ExplicitVRLittleEndian ImplicitVRLittleEndian MRImageStorage PatientRootFind PatientRootGet "
    "PatientRootMove SecondaryCaptureImageStorage StudyRootFind StudyRootGet StudyRootMove Verification",
    "dimse.errors": "Aborted AssociationError ConnectionLost ContextRefused DataError DimseError OperationFailed ProtocolError "
    "Refused Rejected TimedOut TLSFailed Unreachable UsageError",
    "dimse.server": "Server",
    "dimse.services.getting": "GetResult",
    "dimse.services.handlers": "Address Peer Request Services Sink User",
    "dimse.services.options": "QueryOption",
    "dimse.services.passcodes": "Passcodes",
    "dimse.services.plan": "batches contexts_for contexts_for_get",
    "dimse.services.rights": "Caller Callers Right",
    "dimse.services.scp": "Report",
    "dimse.services.scu": "MoveResult Progress",
    "dimse.services.security": "TLS Certificate Security",
    "dimse.services.sinks": "FolderSink",
    "dimse.services.users": "Identity Users",
    "dimse.tracing": "TraceFile",
}
"""Where the names come from. A module is imported when a name of it is asked for: most programs need few of them."""
MODULES = ("aio", "archive", "association", "blocking", "data", "errors", "server", "services", "sockets", "streams", "tls", "tracing")
"""What may be named as `dimse.aio` and so on without having been imported."""


if not TYPE_CHECKING:  # whom it would keep from saying that there is no such name

    def __getattr__(name: str) -> object:
        """A public name or a module, when it is first asked for."""
        from importlib import import_module

        if name in MODULES:
            return import_module(f"dimse.{name}")
        for place, names in PLACES.items():
            if name in names.split():
                found = globals()[name] = getattr(import_module(place), name)
                return found
        raise AttributeError(f"module 'dimse' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *MODULES})
