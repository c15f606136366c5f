"""What an association may take: every wait and every limit by name, with its default and the reason for it."""

from __future__ import annotations

from pdu.values import dataclass


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds each wait may last. `None` waits for ever.

    ARTIM (PS3.8 9.1.5) oversees Sta2 and Sta13 only and is counted from its start, never from the last byte. The other
    waits are the ones that the standard leaves to the application entity; each ends in an A-ABORT.
    """

    artim: float | None = 30.0
    """Sta2: from the transport connection to a whole A-ASSOCIATE-RQ. Sta13: until the peer closes."""
    connect: float | None = 15.0
    """Opening the TCP connection."""
    associate: float | None = 30.0
    """Sta5: from the A-ASSOCIATE-RQ to its answer; not restarted by a part of an answer."""
    release: float | None = 30.0
    """Sta7 and the collision states: from the A-RELEASE-RQ to the end of the release."""
    idle: float | None = 60.0
    """Sta6, no request under way: the longest silence of the peer."""
    response: float | None = 60.0
    """Sta6, a DIMSE response or the rest of a message is awaited: the longest silence of the peer."""
    pdu: float | None = 30.0
    """Sta6: from the first byte of a PDU to its last (128 KiB in 30 s is 4 KiB/s)."""
    message: float | None = 3600.0
    """Sta6: from a message's first byte to its last: what trickles in at less than a byte a wait is still not for ever."""
    tls_handshake: float | None = 10.0
    """From the transport connection to the end of the TLS handshake."""
    send: float | None = 60.0
    """One buffer that the peer does not take."""
    linger: float | None = 1.0
    """How long the side that aborts reads on, so that its A-ABORT is not overtaken by a TCP reset."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes and counts that a peer may make this side hold. All are decided before anything is allocated."""

    max_pdu: int = 131_072
    """Longest P-DATA-TF variable field that is taken, as announced (PS3.8 D.1). Larger ones gain nothing measurable."""
    max_associate_pdu: int = 262_144
    """Longest A-ASSOCIATE-RQ or -AC: 128 contexts with 40 transfer syntaxes each are about 140 KiB."""
    command_set: int = 65_536
    """Longest command set; the largest legal one is a C-GET-RSP's list of UIDs."""
    identifier: int = 4_194_304
    """Longest data set that is collected in memory because it is an identifier (C-FIND, C-GET, C-MOVE)."""
    identifier_elements: int = 1000
    """Elements of an identifier, those in its sequences included; clients send some dozens."""
    identifier_depth: int = 8
    """Sequences inside each other in an identifier; those of the standard's models have two."""
    matches: int = 100_000
    """Matches of one C-FIND that a provider sends before it says that they are too many."""
    suboperations: int = 250_000
    """Instances of one C-MOVE or C-GET that a provider sends; a list of so many takes some 75 MB. More are answered A701H."""
    data_set: int = 4_294_967_294
    """Longest data set of a C-STORE that a provider takes."""
    data_set_in_memory: int = 1_073_741_824
    """Longest data set of a C-STORE that is collected in memory (`Services.store`); a sink's may be as long as `data_set`."""
    contexts: int = 128
    """Presentation contexts of an A-ASSOCIATE-RQ: as many as there are ids (PS3.8 9.3.2.2)."""
    transfer_syntaxes: int = 64
    """Transfer syntaxes of one presentation context; DCMTK proposes up to about 40."""
    user_items: int = 512
    """User information sub-items: one role selection and one extended negotiation for each context, and some more."""
    associations: int = 64
    """Associations that a provider serves at once; one more is rejected: local limit exceeded (PS3.8 9.3.4)."""
    associations_per_host: int = 16
    """Associations with one host; one more is rejected likewise."""
    connections: int = 256
    """Connections without an association; for one more the oldest is closed: an honest one is not without for long."""
    connections_per_host: int = 128
    """Connections without an association from one host; likewise. As many as wait at a listener: an honest burst comes in at once."""
    operations: int = 16
    """Operations that this side lets a requestor have under way (asynchronous operations window, PS3.7 D.3.3.3)."""
