"""Writes a synthetic film as a DICOM file (CR or DX), uncompressed."""

import datetime

import numpy as np
import pydicom
from pydicom.dataset import FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

DX = "1.2.840.10008.5.1.4.1.1.1.1"  # Digital X-Ray Image Storage - For Presentation
CR = "1.2.840.10008.5.1.4.1.1.1"


def code(value, scheme, meaning):
    item = pydicom.Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def dataset(values, seed, name, accession, view="PA", bits=12, monochrome1=False, sop_class=DX, body_part="CHEST", charset="ISO_IR 100",
            laterality="U", study="Chest radiograph", physician="DEMO^REFERRER", syntax=ExplicitVRLittleEndian):
    """values: uint16 [rows, columns] already as stored. UIDs and dates depend on the seed only."""
    uid = lambda part: generate_uid(entropy_srcs=["radialogd synthetic film", str(seed), part])
    d = pydicom.Dataset()
    d.file_meta = FileMetaDataset()
    d.file_meta.MediaStorageSOPClassUID, d.file_meta.MediaStorageSOPInstanceUID = sop_class, uid("instance")
    d.file_meta.TransferSyntaxUID = syntax
    d.file_meta.ImplementationClassUID = "1.2.826.0.1.3680043.8.498.1"
    d.SpecificCharacterSet = charset
    d.SOPClassUID, d.SOPInstanceUID = sop_class, uid("instance")
    d.StudyInstanceUID, d.SeriesInstanceUID = uid("study"), uid("series")
    day = datetime.date(2026, 1, 5) + datetime.timedelta(days=seed % 300)
    d.StudyDate = d.SeriesDate = d.AcquisitionDate = d.ContentDate = day.strftime("%Y%m%d")
    d.StudyTime = d.SeriesTime = d.AcquisitionTime = d.ContentTime = f"{8 + seed % 9:02d}{seed % 60:02d}00"
    d.AccessionNumber, d.StudyID, d.SeriesNumber, d.InstanceNumber = accession, accession[-4:], "1", "1"
    d.Modality = "CR" if sop_class == CR else "DX"
    d.Manufacturer, d.ManufacturerModelName, d.DeviceSerialNumber, d.SoftwareVersions = "radialogd", "synthetic film generator", "0", "1"
    d.InstitutionName, d.ReferringPhysicianName = "SYNTHETIC HOSPITAL", physician
    d.StudyDescription, d.SeriesDescription = study, view
    d.PatientName, d.PatientID = name, f"SYN{seed % 100000:05d}"
    d.PatientBirthDate, d.PatientSex = f"19{40 + seed % 50}0704", "FMO"[seed % 3]
    d.BodyPartExamined, d.PatientOrientation = body_part, ["L", "F"] if view in ("PA", "AP") else ["A", "F"]
    d.ViewPosition = view
    d.ImageType = ["DERIVED", "PRIMARY"]
    if sop_class == DX:
        d.PresentationIntentType = "FOR PRESENTATION"
        d.ImageLaterality = laterality
        d.PixelIntensityRelationship, d.PixelIntensityRelationshipSign = "LOG", -1 if not monochrome1 else 1
        d.DetectorType, d.PositionerType, d.PresentationLUTShape = "DIRECT", "NONE", "INVERSE" if monochrome1 else "IDENTITY"
        d.ImagerPixelSpacing = ["0.8", "0.8"]
        d.BurnedInAnnotation, d.LossyImageCompression = "NO", "00"
        d.RescaleIntercept, d.RescaleSlope, d.RescaleType = "0", "1", "US"
        region = code("51185008", "SCT", "Chest") if body_part == "CHEST" else code("85562004", "SCT", "Hand")
        d.AnatomicRegionSequence = Sequence([region])
        meaning = {"PA": ("399348003", "postero-anterior"), "AP": ("399273005", "antero-posterior")}.get(view, ("399067008", "lateral"))
        d.ViewCodeSequence = Sequence([code(meaning[0], "SCT", meaning[1])])
        d.ViewCodeSequence[0].ViewModifierCodeSequence = Sequence([])
        d.AcquisitionContextSequence = Sequence([])
    d.SamplesPerPixel, d.PhotometricInterpretation = 1, "MONOCHROME1" if monochrome1 else "MONOCHROME2"
    d.Rows, d.Columns = values.shape
    d.BitsAllocated, d.BitsStored, d.HighBit, d.PixelRepresentation = 16, bits, bits - 1, 0
    full = 1 << bits
    d.WindowCenter, d.WindowWidth = str(full // 2), str(full)
    d.PixelData = values.astype("<u2").tobytes()
    return d


def save(d, path):
    pydicom.dcmwrite(path, d, enforce_file_format=True)


def stored(image, bits, monochrome1):
    """Float film 0...1 -> uint16 stored values, using most of the range."""
    top = (1 << bits) - 1
    values = np.round(image * top * 0.9 + 0.03 * top).astype(np.uint16)
    return (top - values).astype(np.uint16) if monochrome1 else values
