"""MIX 2.0: what METS has a place for. No schema of it is at hand, so its order is held here."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from packages.mets import write_files_mets
from packages.mets_reading import read_files_mets
from packages.mix import NAMESPACE, mix_of
from packages.model import FileEntry
from tests.support.descriptions import CREATED, PACKAGE, entry

PHOTO = {
    "width": 4000,
    "height": 3000,
    "compression": "JPEG",
    "color_space": "YCbCr",
    "icc_profile": "sRGB <IEC61966-2.1>",
    "bits_per_sample": 8,
    "samples_per_pixel": 3,
    "dpi_x": 300,
    "dpi_y": 72.01,
    "date_time_original": "2019:06:01 12:13:14",
    "camera_make": "Maker",
    "camera_model": "Model \x03",
    "orientation": 6,
}

# The children of each element of MIX 2.0 that is written, in the order of its schema.
ORDER = {
    "mix": [
        "BasicDigitalObjectInformation",
        "BasicImageInformation",
        "ImageCaptureMetadata",
        "ImageAssessmentMetadata",
    ],
    "BasicDigitalObjectInformation": ["fileSize", "FormatDesignation", "FormatRegistry", "Compression"],
    "FormatDesignation": ["formatName", "formatVersion"],
    "FormatRegistry": ["formatRegistryName", "formatRegistryKey"],
    "Compression": ["compressionScheme"],
    "BasicImageInformation": ["BasicImageCharacteristics"],
    "BasicImageCharacteristics": ["imageWidth", "imageHeight", "PhotometricInterpretation"],
    "PhotometricInterpretation": ["colorSpace", "ColorProfile"],
    "ColorProfile": ["IccProfile"],
    "IccProfile": ["iccProfileName"],
    "ImageCaptureMetadata": ["GeneralCaptureInformation", "DigitalCameraCapture", "orientation"],
    "GeneralCaptureInformation": ["dateTimeCreated"],
    "DigitalCameraCapture": ["digitalCameraManufacturer", "DigitalCameraModel"],
    "DigitalCameraModel": ["digitalCameraModelName"],
    "ImageAssessmentMetadata": ["SpatialMetrics", "ImageColorEncoding"],
    "SpatialMetrics": ["samplingFrequencyUnit", "xSamplingFrequency", "ySamplingFrequency"],
    "xSamplingFrequency": ["numerator", "denominator"],
    "ySamplingFrequency": ["numerator", "denominator"],
    "ImageColorEncoding": ["BitsPerSample", "samplesPerPixel"],
    "BitsPerSample": ["bitsPerSampleValue", "bitsPerSampleUnit"],
}


def image(**properties: object) -> FileEntry:
    return entry(
        "data/original/a.jpg", mime="image/jpeg", format_name="JPEG", puid="fmt/43", properties=properties
    )


def in_order(root: etree._Element) -> bool:
    """Tell whether every element of ours is known, is in its namespace, and its children in their order."""
    for each in root.iter():
        name = etree.QName(each)
        if name.namespace != NAMESPACE:
            return False
        places = [ORDER.get(name.localname, []).index(etree.QName(child).localname) for child in each]
        if places != sorted(places) or (len(each) and each.text):
            return False
        if not len(each) and not each.text:
            return False
    return True


def test_everything_that_is_known_has_its_place() -> None:
    root = etree.fromstring(mix_of(image(**PHOTO)))
    assert in_order(root)
    told = {etree.QName(each).localname: each.text for each in root.iter() if not len(each)}
    assert told == {
        "fileSize": "3",
        "formatName": "JPEG",
        "formatRegistryName": "PRONOM",
        "formatRegistryKey": "fmt/43",
        "compressionScheme": "JPEG",
        "imageWidth": "4000",
        "imageHeight": "3000",
        "colorSpace": "YCbCr",
        "iccProfileName": "sRGB <IEC61966-2.1>",
        "dateTimeCreated": "2019-06-01T12:13:14",
        "digitalCameraManufacturer": "Maker",
        "digitalCameraModelName": "Model \ufffd",
        "orientation": "normal, rotated ccw 90°",
        "samplingFrequencyUnit": "in.",
        "numerator": "7201",
        "denominator": "100",
        "bitsPerSampleValue": "8",
        "bitsPerSampleUnit": "integer",
        "samplesPerPixel": "3",
    }
    assert len(root.findall(".//{*}bitsPerSampleValue")) == 3


def test_bits_of_deep_images_say_so_for_each_sample() -> None:
    root = etree.fromstring(mix_of(image(width=1, height=1, bits_per_sample=16, samples_per_pixel=1)))
    assert [each.text for each in root.iterfind(".//{*}bitsPerSampleValue")] == ["16"]


@pytest.mark.parametrize("unset", ["0000:00:00 00:00:00", "2019:13:45 12:00:00", "2019:02:30 99:00:00"])
def test_a_clock_that_was_not_set_says_no_moment(unset: str) -> None:
    root = etree.fromstring(mix_of(image(width=1, height=1, date_time_original=unset)))
    assert root.find(".//{*}dateTimeCreated") is None


@pytest.mark.parametrize("other", [{}, {"width": 0}, {"width": True}, {"width": "4"}])
def test_what_is_no_image_or_of_unknown_size_has_none(other: dict[str, object]) -> None:
    assert mix_of(image(**other)) == ""
    assert mix_of(entry("data/original/a.mp4", mime="video/mp4", properties=PHOTO)) == ""


values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(PHOTO, values)))
def test_G2_whatever_is_found_mix_is_in_order_and_properties_come_back(properties: dict[str, object]) -> None:
    properties = {**properties, "width": 7, "validity": {"outcome": "valid", "messages": ["a\x00"]}}
    one = image(**properties)
    assert in_order(etree.fromstring(mix_of(one)))
    stream = io.BytesIO()
    write_files_mets(stream, PACKAGE, 1, 1, [one, entry("data/original/b")], created=CREATED)
    tree = etree.fromstring(stream.getvalue())
    ids = {each.attrib["ID"] for each in tree.iter("{*}techMD")}
    used = [each.attrib["ADMID"].split() for each in tree.iter("{*}file")]
    assert used == [["t1", "m1"], ["t2"]]
    assert ids == {"t1", "m1", "t2"}
    stream.seek(0)
    back = list(read_files_mets(stream, lambda _: ""))
    assert back[0].properties == properties
    assert back[0] == one
