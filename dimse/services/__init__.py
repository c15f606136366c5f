"""The services floor: PS3.7 and PS3.4 behaviour, written once for every front.

handlers.py  Services, Request, Sink: what a provider is made of
scu.py       C-ECHO, C-STORE, C-FIND, C-MOVE as user
scp.py       the provider: negotiation and one operation after the other
subops.py    the sub-operations of C-MOVE
plan.py      which contexts a list of instances needs, over how many associations
session.py   Session: DIMSE messages out and in over a Wire
wire.py      Wire: what a service needs of a transport
memory.py    a Wire without I/O: two ends in one thread, with a clock of their own
sinks.py     FolderSink: received instances as Part 10 files in a folder
"""
