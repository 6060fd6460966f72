"""The kind of an image: standard values first, vendors' words where they leave no doubt."""

import pytest
from pydicom.sequence import Sequence

from tests.dicom.test_header import code, facts_of, mammogram

CT = "1.2.840.10008.5.1.4.1.1.2"
CAPTURE = "1.2.840.10008.5.1.4.1.1.7"


@pytest.mark.parametrize(
    ("elements", "kind"),
    [
        ({}, "ffdm"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.1.2.1"}, "ffdm"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.13.1.3"}, "tomosynthesis"),
        ({"ImageType": ["DERIVED", "PRIMARY", "TOMOSYNTHESIS", "GENERATED_2D"]}, "synthetic-2d"),
        ({"ImageType": ["DERIVED", "PRIMARY", "TOMOSYNTHESIS", "NONE"]}, "tomosynthesis"),
        ({"ContrastBolusAgent": "iohexol"}, "contrast"),
        ({"ContrastBolusAgentSequence": Sequence([code("1")])}, "contrast"),
        ({"SOPClassUID": CAPTURE, "ConversionType": "DF"}, "film"),
        ({"SOPClassUID": CAPTURE, "ConversionType": "WSD"}, None),
        ({"DetectorType": "FILM"}, "film"),
        ({"QualityControlImage": "YES"}, "quality-control"),
        ({"QualityControlSubject": "YES"}, "quality-control"),
        ({"QualityControlImage": "NO"}, "ffdm"),
        ({"QualityControlImage": "BOTH"}, "ffdm"),
        ({"SeriesDescription": "Flat field"}, "quality-control"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "POST_CONTRAST", "", "LOW_ENERGY"]}, "contrast"),
        ({"ImageType": ["DERIVED", "PRIMARY", "", "SUBTRACTION"]}, "contrast"),
        ({"SeriesDescription": "R CC CESM"}, "contrast"),
        ({"ImageType": ["DERIVED", "PRIMARY", "TOMOSYNTHESIS", "GENERATED_2D"],
          "ContrastBolusAgent": "iohexol"}, "contrast"),
        ({"SeriesDescription": "R CC C-View"}, "synthetic-2d"),
        ({"SeriesDescription": "L MLO Intelligent 2D"}, "synthetic-2d"),
        ({"DerivationDescription": "Synthesized 2D"}, "synthetic-2d"),
        ({"SeriesDescription": "RCC VIEW"}, "ffdm"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "TOMO_PROJ"]}, "tomosynthesis"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "TOMO"]}, "tomosynthesis"),
        ({"NumberOfFrames": 15}, "tomosynthesis"),
        ({"NumberOfFrames": 1}, "ffdm"),
        ({"SeriesDescription": "R CC Tomosynthesis Slices"}, "tomosynthesis"),
        ({"SeriesDescription": "Bilateral 2D and tomosynthesis"}, "ffdm"),
        ({"SOPClassUID": CT, "Modality": "MG"}, "tomosynthesis"),
        ({"SOPClassUID": CT, "Modality": "CT", "ProtocolName": "Breast tomo"}, "tomosynthesis"),
        ({"SOPClassUID": CT, "Modality": "CT"}, None),
        ({"SOPClassUID": CAPTURE, "SeriesDescription": "DBT"}, "tomosynthesis"),
        ({"SOPClassUID": CAPTURE}, None),
    ],
)  # fmt: skip
def test_image_kind_is_what_the_header_says(elements: dict[str, object], kind: str | None) -> None:
    assert facts_of(mammogram(**elements)).row["image_kind"] == kind
