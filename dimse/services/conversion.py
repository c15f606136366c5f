"""Which instances can go in another transfer syntax than they are stored in (PS3.5 Annex A, PS3.4 B.4.1).

An instance goes out as it is stored wherever the peer takes that. Where it does not, an uncompressed one is encoded in another
uncompressed transfer syntax, and a compressed one decompressed, which needs the extra `codecs`. Nothing is ever compressed.
How that is done stands in `dimse.services.recoding`.
"""

from __future__ import annotations

from collections.abc import Collection

from dimse.data.uids import (
    HTJ2K,
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)
from dimse.errors import ContextRefused

UNCOMPRESSED = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian)
"""What uncompressed data can be taken to and from; the ones that need least on both sides come first."""
COMPRESSED = frozenset(
    (
        JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1, JPEGLSLossless, JPEGLSNearLossless, JPEG2000Lossless,
        JPEG2000, HTJ2KLossless, HTJ2KLosslessRPCL, HTJ2K, RLELossless,
    )
)  # fmt: skip
"""What the extra `codecs` decompresses."""
CODECS = ("numpy", "pylibjpeg", "libjpeg", "openjpeg")
"""The modules that come with the extra."""
ADVICE = "install the extra codecs (pip install 'dimse[codecs]') to have it decompressed"


def has_codecs() -> bool:
    """Whether the extra `codecs` is installed; none of it is imported."""
    from importlib.util import find_spec

    return all(find_spec(name) is not None for name in CODECS)


def targets(stored: UID) -> tuple[UID, ...]:
    """The transfer syntaxes that an instance can be converted to here, the best one first; none for what stays as it is."""
    if stored in UNCOMPRESSED or (stored in COMPRESSED and has_codecs()):
        return tuple(syntax for syntax in UNCOMPRESSED if syntax != stored)
    return ()


def target(stored: UID, accepted: Collection[str]) -> UID | None:
    """The one of these transfer syntaxes that an instance is converted to which cannot go as it is stored; None for none."""
    return next((syntax for syntax in targets(stored) if syntax in accepted), None)


def needs_codecs(stored: UID) -> bool:
    """Whether an instance could be decompressed if the extra `codecs` were installed."""
    return stored in COMPRESSED and not has_codecs()


def refusal(refused: ContextRefused, stored: UID) -> ContextRefused:
    """Why an instance can go neither as it is stored nor converted."""
    if not needs_codecs(stored):
        return refused
    return ContextRefused(f"compressed in {stored.name}: {refused.what}", f"{refused.advice}; or {ADVICE}")
