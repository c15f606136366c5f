"""The services floor: PS3.7 and PS3.4 behaviour, written once for every front.

session.py     Session: DIMSE messages out and in over a Wire
messages.py    P-DATA fragments into messages
wire.py        Wire: what a service needs of a transport
memory.py      a Wire without I/O: two ends in one thread, with a clock of their own

scu.py         C-ECHO, C-STORE, C-FIND, C-MOVE as user
getting.py     C-GET as user
options.py     the options of queries and retrievals, by extended negotiation
plan.py        which contexts a list of instances needs, over how many associations
ahead.py       the next instance made ready before its turn
conversion.py  what can go in another transfer syntax than it is stored in
recoding.py    the bytes of it

handlers.py    Services, Request, Sink: what a provider is made of
scp.py         the provider: negotiation and one operation after the other
offer.py       the contexts that its services accept
receiving.py   one C-STORE, between the association and a sink
sinks.py       FolderSink: received instances as Part 10 files in a folder
finding.py     the matches of a C-FIND as they go out
subops.py      the sub-operations of C-MOVE and C-GET
answers.py     what handlers answer, as statuses

reception.py   what the servers of all fronts share
admission.py   who is let in
rights.py      who may call, from where, and what each may ask for
users.py       user identity
passcodes.py   a file of users and their passcodes
security.py    how connections are secured, as plain values
"""
