"""A DICOM network stack: associations, DIMSE services as user and provider, an archive node, a command line.

    with dimse.connect("pacs", 104, called="PACS", contexts=[dimse.Verification]) as association:
        print(association.echo())

The floors, each importing only those below it (the README has the map):

    dimse.cli          the command line
    dimse.archive      a node that keeps things
    dimse.blocking     FRONT: sockets, one thread for each association       } the same services
    dimse.aio          FRONT: asyncio                                         }
    dimse.tracing      what passed on associations, as JSON lines in a file
    dimse.services     PS3.7 and PS3.4: what is said, written once for both fronts
    dimse.association  PS3.8: the state machine and negotiation, without I/O
    dimse.data         values: UIDs, statuses, command sets, data sets, files
    pdu                PS3.8 9.3: bytes to values and back
"""

from __future__ import annotations

import importlib
from types import ModuleType

from dimse.association.config import Limits, Timeouts
from dimse.association.events import TraceRecord
from dimse.association.layer import UpperLayer
from dimse.association.negotiation import AcceptedContext, Context, RefusedContext, propose
from dimse.blocking import Association, Server, connect
from dimse.data.datasets import DataSet, query
from dimse.data.sources import BytesSource, FileSource, Source, find_files
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


def __getattr__(name: str) -> ModuleType:
    """`dimse.aio` and `dimse.archive` are imported when they are first named: most programs use neither."""
    if name in ("aio", "archive"):
        return importlib.import_module(f"dimse.{name}")
    raise AttributeError(f"module 'dimse' has no attribute {name!r}")


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
