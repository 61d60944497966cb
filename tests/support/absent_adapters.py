"""A converter of the tests that is not installed anywhere."""

from tests.support.scripted_converter import Scripted

ADAPTER = Scripted({}, name="absent", commands=("no-such-converter",), recipes={"copy": {"type": "object"}})
