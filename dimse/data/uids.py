"""Unique identifiers (PS3.5 section 9, PS3.6 Annex A): the type, and those that this package speaks of by name.

The names are the standard's keywords; the query and retrieve models have the short names that everybody uses.
Nothing here needs pydicom but the name of a UID that has no constant, and `storage_classes`.
"""

from __future__ import annotations

MAX_UID_LENGTH = 64
"""PS3.5 9.1: a UID shall not exceed 64 characters."""


class UID(str):
    """A unique identifier: a `str` that knows its name and, for transfer syntaxes, how they encode a data set."""

    __slots__ = ()

    @property
    def name(self) -> str:
        """The name in PS3.6 Annex A, or the UID itself if it has none there."""
        return _NAMES.get(self) or _dictionary_name(self) or str(self)

    @property
    def is_valid(self) -> bool:
        """Whether this is digits in components between dots, 64 characters at most (PS3.5 9.1).

        Leading zeros of a component are forbidden there but common, and do no harm: they are tolerated.
        """
        return len(self) <= MAX_UID_LENGTH and ".." not in f".{self}." and self.isascii() and self.replace(".", "").isdigit()

    @property
    def is_private(self) -> bool:
        """Whether somebody other than DICOM defined it: it is not below the root 1.2.840.10008 (PS3.5 9)."""
        return not self.startswith("1.2.840.10008.")

    @property
    def is_storage(self) -> bool:
        """Whether this is a SOP class whose instances C-STORE carries (PS3.4 Annex B and GG). A private class is not known to be one."""
        return (self.startswith(_STORAGE_ROOT) and self not in _NO_STORAGE) or self in _OTHER_STORAGE

    @property
    def is_implicit_vr(self) -> bool:
        """Whether data elements have no VR field in this transfer syntax (PS3.5 A.1)."""
        return self == ImplicitVRLittleEndian

    @property
    def is_little_endian(self) -> bool:
        """Whether this transfer syntax is little endian: every one is but the retired Explicit VR Big Endian (PS3.5 A.3)."""
        return self != ExplicitVRBigEndian

    @property
    def is_deflated(self) -> bool:
        """Whether the whole data set is deflated in this transfer syntax (PS3.5 A.5)."""
        return self in _DEFLATED

    @property
    def is_encapsulated(self) -> bool:
        """Whether Pixel Data is a sequence of fragments in this transfer syntax (PS3.5 A.4); private ones are taken for such."""
        return self not in _NATIVE


# Transfer syntaxes (PS3.5 section 10 and Annex A)
ImplicitVRLittleEndian = UID("1.2.840.10008.1.2")
ExplicitVRLittleEndian = UID("1.2.840.10008.1.2.1")
EncapsulatedUncompressedExplicitVRLittleEndian = UID("1.2.840.10008.1.2.1.98")
DeflatedExplicitVRLittleEndian = UID("1.2.840.10008.1.2.1.99")
ExplicitVRBigEndian = UID("1.2.840.10008.1.2.2")
JPEGBaseline8Bit = UID("1.2.840.10008.1.2.4.50")
JPEGExtended12Bit = UID("1.2.840.10008.1.2.4.51")
JPEGLossless = UID("1.2.840.10008.1.2.4.57")
JPEGLosslessSV1 = UID("1.2.840.10008.1.2.4.70")
JPEGLSLossless = UID("1.2.840.10008.1.2.4.80")
JPEGLSNearLossless = UID("1.2.840.10008.1.2.4.81")
JPEG2000Lossless = UID("1.2.840.10008.1.2.4.90")
JPEG2000 = UID("1.2.840.10008.1.2.4.91")
JPIPReferenced = UID("1.2.840.10008.1.2.4.94")
JPIPReferencedDeflate = UID("1.2.840.10008.1.2.4.95")
MPEG2MPML = UID("1.2.840.10008.1.2.4.100")
MPEG2MPHL = UID("1.2.840.10008.1.2.4.101")
MPEG4HP41 = UID("1.2.840.10008.1.2.4.102")
MPEG4HP41BD = UID("1.2.840.10008.1.2.4.103")
HEVCMP51 = UID("1.2.840.10008.1.2.4.107")
HEVCM10P51 = UID("1.2.840.10008.1.2.4.108")
HTJ2KLossless = UID("1.2.840.10008.1.2.4.201")
HTJ2KLosslessRPCL = UID("1.2.840.10008.1.2.4.202")
HTJ2K = UID("1.2.840.10008.1.2.4.203")
JPIPHTJ2KReferenced = UID("1.2.840.10008.1.2.4.204")
JPIPHTJ2KReferencedDeflate = UID("1.2.840.10008.1.2.4.205")
RLELossless = UID("1.2.840.10008.1.2.5")

DEFAULT_TRANSFER_SYNTAXES: tuple[UID, ...] = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
"""What is proposed unless told otherwise: Implicit VR Little Endian must be among them (PS3.5 10.1)."""

# Services (PS3.4)
Verification = UID("1.2.840.10008.1.1")
StorageCommitment = UID("1.2.840.10008.1.20.1")
StorageCommitmentInstance = UID("1.2.840.10008.1.20.1.1")
ModalityPerformedProcedureStep = UID("1.2.840.10008.3.1.2.3.3")
ModalityWorklistFind = UID("1.2.840.10008.5.1.4.31")
PatientRootFind = UID("1.2.840.10008.5.1.4.1.2.1.1")
PatientRootMove = UID("1.2.840.10008.5.1.4.1.2.1.2")
PatientRootGet = UID("1.2.840.10008.5.1.4.1.2.1.3")
StudyRootFind = UID("1.2.840.10008.5.1.4.1.2.2.1")
StudyRootMove = UID("1.2.840.10008.5.1.4.1.2.2.2")
StudyRootGet = UID("1.2.840.10008.5.1.4.1.2.2.3")
PatientStudyOnlyFind = UID("1.2.840.10008.5.1.4.1.2.3.1")
PatientStudyOnlyMove = UID("1.2.840.10008.5.1.4.1.2.3.2")
PatientStudyOnlyGet = UID("1.2.840.10008.5.1.4.1.2.3.3")

# Storage SOP classes (PS3.4 B.5) that are met most
ComputedRadiographyImageStorage = UID("1.2.840.10008.5.1.4.1.1.1")
DigitalXRayImageStorageForPresentation = UID("1.2.840.10008.5.1.4.1.1.1.1")
DigitalMammographyXRayImageStorageForPresentation = UID("1.2.840.10008.5.1.4.1.1.1.2")
CTImageStorage = UID("1.2.840.10008.5.1.4.1.1.2")
EnhancedCTImageStorage = UID("1.2.840.10008.5.1.4.1.1.2.1")
UltrasoundMultiFrameImageStorage = UID("1.2.840.10008.5.1.4.1.1.3.1")
MRImageStorage = UID("1.2.840.10008.5.1.4.1.1.4")
EnhancedMRImageStorage = UID("1.2.840.10008.5.1.4.1.1.4.1")
UltrasoundImageStorage = UID("1.2.840.10008.5.1.4.1.1.6.1")
SecondaryCaptureImageStorage = UID("1.2.840.10008.5.1.4.1.1.7")
TwelveLeadECGWaveformStorage = UID("1.2.840.10008.5.1.4.1.1.9.1.1")
GrayscaleSoftcopyPresentationStateStorage = UID("1.2.840.10008.5.1.4.1.1.11.1")
XRayAngiographicImageStorage = UID("1.2.840.10008.5.1.4.1.1.12.1")
XRayRadiofluoroscopicImageStorage = UID("1.2.840.10008.5.1.4.1.1.12.2")
NuclearMedicineImageStorage = UID("1.2.840.10008.5.1.4.1.1.20")
RawDataStorage = UID("1.2.840.10008.5.1.4.1.1.66")
SegmentationStorage = UID("1.2.840.10008.5.1.4.1.1.66.4")
BasicTextSRStorage = UID("1.2.840.10008.5.1.4.1.1.88.11")
EnhancedSRStorage = UID("1.2.840.10008.5.1.4.1.1.88.22")
KeyObjectSelectionDocumentStorage = UID("1.2.840.10008.5.1.4.1.1.88.59")
EncapsulatedPDFStorage = UID("1.2.840.10008.5.1.4.1.1.104.1")
PositronEmissionTomographyImageStorage = UID("1.2.840.10008.5.1.4.1.1.128")
RTImageStorage = UID("1.2.840.10008.5.1.4.1.1.481.1")
RTDoseStorage = UID("1.2.840.10008.5.1.4.1.1.481.2")
RTStructureSetStorage = UID("1.2.840.10008.5.1.4.1.1.481.3")
RTPlanStorage = UID("1.2.840.10008.5.1.4.1.1.481.5")

USUAL_IMAGES = (
    ComputedRadiographyImageStorage, DigitalXRayImageStorageForPresentation, DigitalMammographyXRayImageStorageForPresentation,
    CTImageStorage, EnhancedCTImageStorage, UltrasoundMultiFrameImageStorage, MRImageStorage, EnhancedMRImageStorage,
    UltrasoundImageStorage, SecondaryCaptureImageStorage, XRayAngiographicImageStorage, XRayRadiofluoroscopicImageStorage,
    NuclearMedicineImageStorage, PositronEmissionTomographyImageStorage,
)  # fmt: skip
"""The images among them, which archives often keep compressed."""
USUAL_STORAGE = (
    *USUAL_IMAGES, TwelveLeadECGWaveformStorage, GrayscaleSoftcopyPresentationStateStorage, RawDataStorage, SegmentationStorage,
    BasicTextSRStorage, EnhancedSRStorage, KeyObjectSelectionDocumentStorage, EncapsulatedPDFStorage, RTImageStorage, RTDoseStorage,
    RTStructureSetStorage, RTPlanStorage,
)  # fmt: skip
"""All of them."""
USUAL_COMPRESSIONS = (JPEGBaseline8Bit, JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless, JPEG2000, RLELossless)
"""What archives keep images in."""

IMPLEMENTATION_CLASS_UID = UID("2.25.44607710360602581640634903832489552539")
"""Names this implementation (PS3.7 D.3.3.2): a UUID of its own, as PS3.5 B.2 makes UIDs of them."""
IMPLEMENTATION_VERSION_NAME = "DIMSE_0.1.0"
"""Names this version of it, in 16 characters at most (PS3.7 D.3.3.2.3)."""


def storage_classes() -> tuple[UID, ...]:
    """All storage SOP classes in pydicom's dictionary, the retired ones behind the others."""
    from pydicom._uid_dict import UID_dictionary

    rows = [(row[3] != "", UID(uid)) for uid, row in UID_dictionary.items() if row[0] and UID(uid).is_storage]
    return tuple(uid for _, uid in sorted(rows, key=lambda row: row[0]))


def _dictionary_name(uid: str) -> str:
    """The name that pydicom's dictionary has for it; empty if none."""
    from pydicom._uid_dict import UID_dictionary

    return UID_dictionary.get(uid, ("",))[0]


_STORAGE_ROOT = "1.2.840.10008.5.1.4.1.1."
# Classes below that root that query, retrieve and create: protocol approval and inventory (PS3.4 II and KK).
_NO_STORAGE = frozenset(
    (
        "1.2.840.10008.5.1.4.1.1.200.4",
        "1.2.840.10008.5.1.4.1.1.200.5",
        "1.2.840.10008.5.1.4.1.1.200.6",
        "1.2.840.10008.5.1.4.1.1.201.1.1",
        "1.2.840.10008.5.1.4.1.1.201.2",
        "1.2.840.10008.5.1.4.1.1.201.3",
        "1.2.840.10008.5.1.4.1.1.201.4",
        "1.2.840.10008.5.1.4.1.1.201.5",
        "1.2.840.10008.5.1.4.1.1.201.6",
    )
)
_OTHER_STORAGE = frozenset(
    (
        "1.2.840.10008.5.1.1.27",  # Stored Print Storage (retired)
        "1.2.840.10008.5.1.1.29",  # Hardcopy Grayscale Image Storage (retired)
        "1.2.840.10008.5.1.1.30",  # Hardcopy Color Image Storage (retired)
        "1.2.840.10008.5.1.4.34.1",  # RT Beams Delivery Instruction Storage - Trial (retired)
        "1.2.840.10008.5.1.4.34.7",  # RT Beams Delivery Instruction Storage
        "1.2.840.10008.5.1.4.34.10",  # RT Brachy Application Setup Delivery Instruction Storage
        "1.2.840.10008.5.1.4.38.1",  # Hanging Protocol Storage
        "1.2.840.10008.5.1.4.39.1",  # Color Palette Storage
        "1.2.840.10008.5.1.4.43.1",  # Generic Implant Template Storage
        "1.2.840.10008.5.1.4.44.1",  # Implant Assembly Template Storage
        "1.2.840.10008.5.1.4.45.1",  # Implant Template Group Storage
    )
)

_DEFLATED = frozenset((DeflatedExplicitVRLittleEndian, JPIPReferencedDeflate, JPIPHTJ2KReferencedDeflate))
# Transfer syntaxes that leave Pixel Data as they are, or refer to them elsewhere (JPIP, SMPTE ST 2110).
_NATIVE = _DEFLATED | {
    ImplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    JPIPReferenced,
    JPIPHTJ2KReferenced,
    UID("1.2.840.10008.1.2.7.1"),
    UID("1.2.840.10008.1.2.7.2"),
    UID("1.2.840.10008.1.2.7.3"),
}

_NAMES = {
    ImplicitVRLittleEndian: "Implicit VR Little Endian",
    ExplicitVRLittleEndian: "Explicit VR Little Endian",
    DeflatedExplicitVRLittleEndian: "Deflated Explicit VR Little Endian",
    ExplicitVRBigEndian: "Explicit VR Big Endian",
    JPEGBaseline8Bit: "JPEG Baseline (Process 1)",
    JPEGExtended12Bit: "JPEG Extended (Process 2 and 4)",
    JPEGLossless: "JPEG Lossless, Non-Hierarchical (Process 14)",
    JPEGLosslessSV1: "JPEG Lossless, Non-Hierarchical, First-Order Prediction (Process 14 [Selection Value 1])",
    JPEGLSLossless: "JPEG-LS Lossless Image Compression",
    JPEGLSNearLossless: "JPEG-LS Lossy (Near-Lossless) Image Compression",
    JPEG2000Lossless: "JPEG 2000 Image Compression (Lossless Only)",
    JPEG2000: "JPEG 2000 Image Compression",
    RLELossless: "RLE Lossless",
    Verification: "Verification SOP Class",
    StorageCommitment: "Storage Commitment Push Model SOP Class",
    ModalityPerformedProcedureStep: "Modality Performed Procedure Step SOP Class",
    ModalityWorklistFind: "Modality Worklist Information Model - FIND",
    PatientRootFind: "Patient Root Query/Retrieve Information Model - FIND",
    PatientRootMove: "Patient Root Query/Retrieve Information Model - MOVE",
    PatientRootGet: "Patient Root Query/Retrieve Information Model - GET",
    StudyRootFind: "Study Root Query/Retrieve Information Model - FIND",
    StudyRootMove: "Study Root Query/Retrieve Information Model - MOVE",
    StudyRootGet: "Study Root Query/Retrieve Information Model - GET",
    PatientStudyOnlyFind: "Patient/Study Only Query/Retrieve Information Model - FIND",
    PatientStudyOnlyMove: "Patient/Study Only Query/Retrieve Information Model - MOVE",
    PatientStudyOnlyGet: "Patient/Study Only Query/Retrieve Information Model - GET",
    ComputedRadiographyImageStorage: "Computed Radiography Image Storage",
    DigitalXRayImageStorageForPresentation: "Digital X-Ray Image Storage - For Presentation",
    DigitalMammographyXRayImageStorageForPresentation: "Digital Mammography X-Ray Image Storage - For Presentation",
    CTImageStorage: "CT Image Storage",
    EnhancedCTImageStorage: "Enhanced CT Image Storage",
    UltrasoundMultiFrameImageStorage: "Ultrasound Multi-frame Image Storage",
    MRImageStorage: "MR Image Storage",
    EnhancedMRImageStorage: "Enhanced MR Image Storage",
    UltrasoundImageStorage: "Ultrasound Image Storage",
    SecondaryCaptureImageStorage: "Secondary Capture Image Storage",
    IMPLEMENTATION_CLASS_UID: "this implementation",
}
