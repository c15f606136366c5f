"""A file of an archive, looked through from its first to its last byte: what its row would say, if it is whole."""

from __future__ import annotations

import os
import stat
from functools import partial
from hashlib import sha256
from mmap import ACCESS_READ, mmap
from typing import Final

from dimse.archive.attributes import BY_TAG, SCANNED, SOP_CLASS_UID, SOP_INSTANCE_UID
from dimse.archive.index import Header, Instance
from dimse.archive.layout import DIGEST_CREATOR
from dimse.archive.sink import missing_uids
from dimse.data.elements import scan
from dimse.data.part10 import FileMeta, scan_meta
from dimse.errors import DataError

AT_ONCE: Final = 1_048_576
"""Bytes of a data set that are digested at once."""


def examine(path: str) -> tuple[Instance, Header]:
    """What the index keeps of a file. Raises `OSError`, or `DataError` if it is no whole instance.

    It is whole if its data set has the digest that its head tells; of a head that tells none, if it can be read to its end.
    """
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            raise DataError("not a regular file")
        meta, offset = scan_meta(partial(os.read, fd))
        if offset >= found.st_size:
            raise DataError("the file has no data set", offset)
        digest = _digest(fd, offset)
        with mmap(fd, 0, access=ACCESS_READ) as whole:
            return _examine(meta, offset, digest, whole)
    finally:
        os.close(fd)


def told_digest(meta: FileMeta) -> bytes:
    """The digest that a head tells; empty where it tells none."""
    return meta.private_information if meta.private_information_creator_uid == DIGEST_CREATOR else b""


def _examine(meta: FileMeta, offset: int, digest: bytes, whole: mmap) -> tuple[Instance, Header]:
    if told_digest(meta) not in (b"", digest):
        raise DataError("the data set is not the one that was stored: its SHA-256 is another", offset)
    syntax = meta.transfer_syntax_uid
    header = Header(scan(whole, syntax, SCANNED, start=offset), "little" if syntax.is_little_endian else "big")
    sop_class, uid = meta.media_storage_sop_class_uid, meta.media_storage_sop_instance_uid
    if not uid.is_valid or (header.text(BY_TAG[SOP_CLASS_UID]), header.text(BY_TAG[SOP_INSTANCE_UID])) != (sop_class, uid):
        raise DataError("head and data set do not name the same instance", offset)
    if missing_uids(header):
        raise DataError("the data set lacks a Study or Series Instance UID", offset)
    return Instance(sop_class, uid, syntax, offset, len(whole) - offset, digest), header


def _digest(fd: int, offset: int) -> bytes:
    """Of the data set, which is read: what the disk cannot give is an `OSError` then, and would end the process in a memory map."""
    digest = sha256()
    while piece := os.pread(fd, AT_ONCE, offset):
        digest.update(piece)
        offset += len(piece)
    return digest.digest()
