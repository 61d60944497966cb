"""The program behind `tools.validity.jpylyzer`: says of each JPEG 2000 which tests of jpylyzer it fails.

It is started as a script, confined, and knows nothing of Holdfast. Its words are the form (``jp2``, ``j2c``,
``jph``) and the files; for each it writes a line of JSON: whether it is valid, why it could not be judged
(or ""), and the tests that failed. jpylyzer's own report is not read, as it repeats XML that lies in a file.
"""

import json
import sys
from collections.abc import Iterator
from typing import Any

from jpylyzer.jpylyzer import checkOneFile

MOST, LONGEST = 20, 200


def judge(file: str, form: str) -> tuple[bool, str, list[str]]:
    """Judge one file."""
    said = checkOneFile(file, form)
    failure = said.findtext("statusInfo/failureMessage") or ""
    wrong = dict.fromkeys(_failed(said.find("tests"), ""))
    return said.findtext("isValid") == "True", failure, [each[:LONGEST] for each in wrong][:MOST]


def _failed(tests: Any, place: str) -> Iterator[str]:
    for each in tests:
        if len(each):
            yield from _failed(each, f"{place}{each.tag}/")
        elif each.text == "False":
            yield f"{place}{each.tag}: {each.text}"


if __name__ == "__main__":
    for each in sys.argv[2:]:
        print(json.dumps(judge(each, sys.argv[1])), flush=True)  # noqa: T201  # it answers there
