"""Ghostscript: PDF, PostScript and EPS become PDF/A-2b.

What PDF/A has no place for (sound, scripts, some annotations) Ghostscript leaves out; it says so, and so does
the message of the outcome. Fonts are embedded, colours get an sRGB output intent, and pictures keep their
samples: nothing is scaled down, and what was not JPEG does not become JPEG.
"""

import re
from pathlib import Path

from packages.format_policy import Outcome
from tools.normalise.ports import Converted, Runner
from tools.normalise.programs import LONGEST, OneByOne, concluded, one_of, schema
from tools.runs import Job

PROFILES = (
    Path("/usr/share/color/icc/ghostscript/srgb.icc"),
    Path("/usr/share/ghostscript/iccprofiles/srgb.icc"),
    Path("/usr/share/color/icc/sRGB.icc"),
    Path("/usr/local/share/ghostscript/iccprofiles/srgb.icc"),
)
"""Where an sRGB profile may lie that came with Ghostscript."""

# The head of a PDF/A: an output intent with the profile (ISO 19005-2, 6.2.3). `Profile` is set before.
INTENT = """%!
[/_objdef {profile} /type /stream /OBJ pdfmark
[{profile} << /N 3 >> /PUT pdfmark
[{profile} Profile (r) file /PUT pdfmark
[/_objdef {intent} /type /dict /OBJ pdfmark
[{intent} << /Type /OutputIntent /S /GTS_PDFA1 /DestOutputProfile {profile}
  /OutputConditionIdentifier (sRGB) /Info (sRGB IEC61966-2.1) >> /PUT pdfmark
[{Catalog} << /OutputIntents [ {intent} ] >> /PUT pdfmark
"""
KEEP_PICTURES = (
    *(f"-dDownsample{kind}Images=false" for kind in ("Color", "Gray", "Mono")),
    *(f"-dAutoFilter{kind}Images=false" for kind in ("Color", "Gray")),
    *(f"-d{kind}ImageFilter=/FlateEncode" for kind in ("Color", "Gray")),
    "-dPassThroughJPEGImages=true",
    "-dPassThroughJPXImages=true",
)
_LEFT_OUT = re.compile(
    r"not permitted in PDF/A|discarding|cannot be represented|reverting|may be incorrect", re.IGNORECASE
)
_NOT_DRAWN = re.compile(
    r"requires a password|could not draw this page|page will be missing|no pages will be processed",
    re.IGNORECASE,
)
"""What it says where a page is missing or empty, and ends with status 0 all the same."""


def _pdfa(job: Job, runner: Runner) -> Converted:
    profile = next((each for each in PROFILES if each.is_file()), None)
    if profile is None:
        return Converted(job, Outcome.TOOL_MISSING, "Ghostscript's sRGB profile (srgb.icc) is not installed.")
    intent = runner.folder / "intent.ps"
    intent.write_text(f"/Profile ({profile}) def\n{INTENT}", "ascii")
    target = job.folder / "1.pdf"
    ran = runner.run(
        [
            *("gs", "-dSAFER", "-dBATCH", "-dNOPAUSE", "-dNOPROMPT", "-q", "-sDEVICE=pdfwrite"),
            *(f"-dPDFA={job.arguments['part']}", "-dPDFACompatibilityPolicy=1"),
            *("-sColorConversionStrategy=RGB", "-dAutoRotatePages=/None", "-dEmbedAllFonts=true"),
            *KEEP_PICTURES,
            *(["-dEPSCrop"] if job.arguments.get("crop") == "yes" else []),
            *(f"--permit-file-read={profile}", f"-sOutputFile={target}", intent, job.source),
        ],
        [job],
        readable=[profile],
    )
    missing = [line.strip(" *") for line in ran.said.splitlines() if _NOT_DRAWN.search(line)]
    if ran.ok and missing:
        why = f"gs: {'; '.join(dict.fromkeys(missing))}"[:LONGEST]
        return Converted(job, Outcome.FAILED, why, command=ran.command)
    left = [line.strip() for line in ran.said.splitlines() if _LEFT_OUT.search(line)]
    return concluded(job, ran, target, message="; ".join(dict.fromkeys(left)))


ADAPTER = OneByOne(
    name="ghostscript",
    recipes={
        "pdfa": schema(
            ["part"],
            part={"enum": [2, 3], "description": "Part of ISO 19005: PDF/A-2b or PDF/A-3b."},
            crop=one_of("yes", "no", description="Of EPS: the page is the bounding box."),
        )
    },
    commands=("gs",),
    says=("Ghostscript", ["gs", "--version"], r"(\d+\.\d[\d.]*)"),
    does=_pdfa,
)
