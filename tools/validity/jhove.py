"""JHOVE: images, sound and PDF by its modules, many files in one start."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from lxml import etree

from tools.runs import Ran
from tools.sandbox import Sandbox
from tools.validity.installed import in_jars, in_path, java_places
from tools.validity.ports import Batch, Installed, Outcome, Validity
from tools.validity.reports import REPORT, elements, text

ORDER = (
    "jhove-core-",
    "aiff-hul-",
    "gif-hul-",
    "jpeg-hul-",
    "pdf-hul-",
    "tiff-hul-",
    "wave-hul-",
    "jhove-apps-",
)
"""Class path: jhove-apps and jhove-ext-modules bring older copies of what the others have."""
MODULES = {
    "AIFF-hul": "edu.harvard.hul.ois.jhove.module.AiffModule",
    "GIF-hul": "edu.harvard.hul.ois.jhove.module.GifModule",
    "JPEG-hul": "edu.harvard.hul.ois.jhove.module.JpegModule",
    "PDF-hul": "edu.harvard.hul.ois.jhove.module.PdfModule",
    "PNG-gdm": "com.mcgath.jhove.module.PngModule",
    "TIFF-hul": "edu.harvard.hul.ois.jhove.module.TiffModule",
    "WARC-kb": "edu.harvard.hul.ois.jhove.module.WarcModule",
    "WAVE-hul": "edu.harvard.hul.ois.jhove.module.WaveModule",
}
_CONFIGURATION = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<jhoveConfig version="1.0" xmlns="http://schema.openpreservation.org/ois/xml/ns/jhove/jhoveConfig">\n'
    "<jhoveHome>home</jhoveHome><defaultEncoding>utf-8</defaultEncoding>"
    "<tempDirectory>tmp</tempDirectory><bufferSize>131072</bufferSize>\n"
    "{}</jhoveConfig>\n"
)
_MODULE = "<module><class>{}</class></module>\n"
_STATUS = {
    "Well-Formed and valid": Outcome.VALID,
    "Well-Formed": Outcome.WELL_FORMED,
    "Well-Formed, but not valid": Outcome.NOT_VALID,
    "Not well-formed": Outcome.NOT_VALID,
}


class Jhove:
    """The `tools.validity.ports.Adapter` of JHOVE."""

    name = "jhove"
    title = "JHOVE"
    batch = 500
    mixes = True

    def find(self, folder: Path | None) -> Installed | None:
        """Look for its jars, then for the command ``jhove``."""
        return in_jars(folder, self.name, "edu.harvard.hul.ois.jhove.Jhove", ORDER) or in_path("jhove", "-v")

    def judge(
        self, installed: Installed, batch: Batch, sandbox: Sandbox, readable: Sequence[Path]
    ) -> tuple[Mapping[str, Validity], Ran]:
        """Judge the files of `batch`; of several modules JHOVE tries each until one takes a file for its own.

        What none takes for its own it calls a sound stream of bytes: no answer to our question.
        """
        modules = sorted(set(batch.modules.values()))
        settings = sandbox.folder / "jhove.conf"
        settings.write_text(
            _CONFIGURATION.format("".join(_MODULE.format(MODULES[each]) for each in modules)),
            encoding="utf-8",
        )
        report = sandbox.folder / REPORT
        report.unlink(missing_ok=True)
        ran = sandbox.run(
            [
                *installed.command,
                *("-c", "jhove.conf", "-h", "XML", "-o", REPORT),
                *(("-m", modules[0]) if len(modules) == 1 else ()),
                *(f"in/{name}" for name in batch.names),
            ],
            [],
            environment=java_places(sandbox.folder),
            readable=[*installed.readable, *readable],
        )
        tool = f"{self.title} {installed.version}".strip()
        found: dict[str, Validity] = {}
        for info in elements(report, "repInfo"):
            name, validity = _read(info, tool)
            is_its_own = len(modules) == 1 or text(info, "reportingModule") == batch.modules.get(name)
            if name in batch.modules and is_its_own:
                found[name] = validity
        return found, ran


def _read(info: etree._Element, tool: str) -> tuple[str, Validity]:
    module = info.find("{*}reportingModule")
    profile = f"{module.text} {module.get('release', '')}".strip() if module is not None else None
    outcome = _STATUS.get(text(info, "status"), Outcome.UNCHECKED)
    messages = [
        _message(each)
        for each in info.iterfind("{*}messages/{*}message")
        if each.get("severity", "error") == "error"
    ]
    if outcome is Outcome.VALID:
        messages = []
    return Path(info.get("uri", "")).name, Validity.of(outcome, tool, profile, messages)


def _message(message: etree._Element) -> str:
    detail, offset = message.get("subMessage"), message.get("offset")
    return "".join(
        [
            f"{message.get('id')}: " if message.get("id") else "",
            (message.text or "").strip(),
            f" ({detail})" if detail else "",
            f", at byte {offset}" if offset else "",
        ]
    )
