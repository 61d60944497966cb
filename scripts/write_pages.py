"""Writes the pages of docs/ that come from data. A test says when they are old.

Run it as `.venv/bin/python scripts/write_pages.py`
after a change of schemas/findings.json, schemas/format-policy.json, services/settings.py,
services/store_settings.py, tools/characterise or the adapters in tools/normalise, and for a new decision.
"""

import json
import re
import sys
from importlib import import_module
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))  # the rooms are top-level packages of the project's folder

from packages.format_names import formats_told  # noqa: E402  # as below
from packages.format_policy import Action, Kind, default_policy, parts_of  # noqa: E402  # as below
from services.settings import Settings  # noqa: E402  # only found after the line above
from services.store_settings import StoreFacts  # noqa: E402  # only found after the line above
from tools.characterise.crew import WORK  # noqa: E402  # as above
from tools.characterise.families import FAMILIES  # noqa: E402  # as above
from tools.characterise.fitting import LONGEST, MOST, ROOM  # noqa: E402  # as above
from tools.normalise.adapters import LIBRARIES, adapter, recipes  # noqa: E402  # as above

MADE = "<!-- Made by scripts/write_pages.py: change the source, then run it. -->"


def findings_page() -> str:
    """Return docs/findings.md: every finding code with its sentence and remedy."""
    codes = json.loads((PROJECT / "schemas" / "findings.json").read_text(encoding="utf-8"))
    lines = [
        "# Findings",
        "",
        MADE,
        "",
        "Everything that `holdfast check` and `holdfast ingest` can say about a submission.",
        "An *error* rejects it, a *warning* is shown (and fails `--strict`), an *info* is kept.",
        "Words in braces are filled in from the submission.",
        "",
        "| code | weight | says | what to do |",
        "|---|---|---|---|",
    ]
    for code, entry in sorted(codes.items()):
        # How a number is written is no part of what is said.
        says = re.sub(r"{(\w+):[^}]*}", r"{\1}", entry["sentence"])
        lines.append(f"| `{code}` | {entry['severity']} | {_cell(says)} | {_cell(entry['hint'])} |")
    return "\n".join(lines) + "\n"


def settings_page() -> str:
    """Return docs/settings.md: every setting with its default and reason."""
    lines = [
        "# Settings",
        "",
        MADE,
        "",
        "From the environment, or from `holdfast.toml` in the home (in lower case, without `HOLDFAST_`).",
        "The environment wins. An unknown name is an error. `holdfast config` shows where each came from.",
        "Sizes are bytes, times are seconds. An empty default follows from the home, or is *not set*.",
        "",
        "| setting | default | is |",
        "|---|---|---|",
        "| `HOLDFAST_HOME` | the platform's user data folder | where `holdfast.toml` and the archive are |",
    ]
    for name, field in Settings.model_fields.items():
        if name in {"home", "store"}:
            continue
        default = "" if field.default_factory or field.default in ("", None) else f"`{field.default}`"
        lines.append(f"| `HOLDFAST_{name.upper()}` | {default} | {_cell(field.description or '')} |")
    lines += [
        "",
        "What is said about a store stands in a table `[store.NAME]` of `holdfast.toml`, and nowhere else:",
        "",
        "| fact | default | is |",
        "|---|---|---|",
    ]
    for name, field in StoreFacts.model_fields.items():
        default = "" if field.default == "" else f"`{str(field.default).lower()}`"
        lines.append(f"| `{name}` | {default} | {_cell(field.description or '')} |")
    return "\n".join(lines) + "\n"


TECHNICAL = """\
# Technical metadata

{made}

What the step *characterise* finds out about a file, by family. The family follows from the MIME type, which
comes from PRONOM or, where it has none, from libmagic. Properties stand in the catalogue and in the AIP's
METS and PREMIS.

- Each reader works in a child process that is shut in (decisions/0010) with
  {seconds} s and {memory} MiB of memory for a file. A file on
  which one crashes, hangs or swells costs its own technical metadata and nothing else: that is the finding
  `characterise.failed`, and the file is kept.
- What is read is bounded, as stated with each family. `judged_bytes`, `judged_members` or `objects_judged`
  says that a file was judged in part.
- Lists have at most {most} items, texts {longest} characters, and one list as a whole {room}: what is more is
  left out from its end. Control characters are left out. What is
  empty or unknown is absent.
- XML is read without entities and without network. Nothing is unpacked to disk, no page or picture is
  drawn, no macro or script is run.
- Tools are agents of the PREMIS event *metadata extraction*, with their versions. One that is not installed
  is said once a package (`characterise.tool-missing`).
- ExifTool and ffprobe are not needed: EXIF, IPTC and XMP come through Pillow, and every stream of audio and
  video through MediaInfo, both as libraries in a process that is there already.
- Formats without a family (3D models but for XML and JSON ones, drawings, fonts, disk images, statistics)
  are identified and no more.
"""


def technical_metadata_page() -> str:
    """Return docs/technical-metadata.md: every family with its fields, tool and bounds."""
    intro = TECHNICAL.format(
        made=MADE, seconds=WORK.seconds, memory=WORK.memory >> 20, most=MOST, longest=LONGEST, room=ROOM
    )
    lines = [intro]
    for family in FAMILIES:
        reader = import_module(family.module)
        kinds = [*sorted(family.types), *(f"{each}…" for each in family.beginnings)]
        kinds += [f"…{each}" for each in family.endings]
        lines += [
            f"## {family.name}",
            "",
            " ".join(_cell(reader.__doc__ or "").split()),
            "",
            f"Tool: {reader.tool().partition(' ')[0]}. MIME types: {', '.join(map('`{}`'.format, kinds))}.",
            f"Read: {reader.BOUNDS}",
            "",
            "| field | is |",
            "|---|---|",
            *(f"| `{name}` | {_cell(told)} |" for name, told in reader.FIELDS.items()),
            "",
        ]
    return "\n".join(lines)


FORMATS = """\
# Formats and what is made of them

{made}

The format policy, version {version}: {rules} rules for {formats} formats, by the names and PUIDs of
[PRONOM](https://www.nationalarchives.gov.uk/PRONOM/). A format in no rule is kept as it came. So is every
original: a derivative comes beside it, and is kept only if it is of a format that the rule expects, within
its limits, and the same as its source in everything that the rule compares. Else a finding says why
(`normalise.…`).

What holds in an archive, with the versions of the tools that are installed there: `holdfast policy show`, or
`/policy`. To change it, write `format-policy.json` in the home (its shape:
`schemas/format-policy.schema.json`); a rule there with the name of one of these changes the fields that it
gives, a new one takes its formats from these. `holdfast policy check` names every fault, `holdfast policy
test FILE` does for a file what would be done.

One conversion may take, where its rule says no other: {limits}.
"""
TESTED = {
    "ffmpeg": ("ffmpeg", "FFmpeg 5.1"),
    "ghostscript": ("ghostscript", "Ghostscript 10.00"),
    "libraw": ("libraw-bin, libvips-tools", "LibRaw 0.20"),
    "libreoffice": (
        "libreoffice-writer-nogui, -calc-nogui, -impress-nogui, -draw-nogui",
        "LibreOffice 7.4",
    ),
    "readpst": ("pst-utils", "libpst 0.6"),
    "rsvg": ("librsvg2-bin, libvips-tools", "librsvg 2.54"),
    "vips": ("libvips-tools", "libvips 8.14"),
}
"""Tool → its Debian packages, and the version in Debian 12, which the tests run."""


def formats_page() -> str:
    """Return docs/formats.md: every rule of the format policy by family, and the tools."""
    policy = default_policy()
    rules = policy.data["rules"]
    limits = ", ".join(f"{name.replace('_', ' ')} {value:,}" for name, value in policy.data["limits"].items())
    count = sum(len(rule["puids"]) for rule in rules)
    lines = [
        FORMATS.format(made=MADE, version=policy.version, rules=len(rules), formats=count, limits=limits)
    ]
    for family in dict.fromkeys(rule["family"] for rule in rules):
        lines += [f"## {'PDF' if family == 'pdf' else family.capitalize()}", ""]
        lines += ["| rule | formats | kept for the long run | for readers |", "|---|---|---|---|"]
        for rule in (each for each in rules if each["family"] == family):
            made = {
                kind: [_action(each) for each in policy.actions(rule) if each.kind is kind] for kind in Kind
            }
            keeps = any(part["action"] == "keep" for part in parts_of(rule, Kind.PRESERVATION))
            kept = (["the original will do"] if keeps else []) + made[Kind.PRESERVATION]
            cells = (
                f"**{rule['name']}**: {rule['reason']}",
                formats_told(rule["puids"]),
                "<br>".join(kept) or "nothing",
                "<br>".join(made[Kind.ACCESS] + made[Kind.THUMBNAIL]) or "nothing",
            )
            lines.append(f"| {' | '.join(map(_cell, cells))} |")
        lines.append("")
    return "\n".join([*lines, *_tools(sorted(policy.tools))]) + "\n"


def _action(action: Action) -> str:
    arguments = "".join(f" {name}={value}" for name, value in action.arguments.items())
    told = f"{action.kind}: " if action.kind is Kind.THUMBNAIL else ""
    told += f"`{action.tool} {action.recipe}{arguments}`"
    told += f" → {formats_told(action.expect)}" if action.expect else ""
    told += f"; the same: {', '.join(action.checks)}" if action.checks else ""
    return told + (f"; {action.condition}" if action.condition else "")


def _tools(names: list[str]) -> list[str]:
    lines = [
        "## Tools",
        "",
        "| tool | recipes | programs | Debian packages | tested with |",
        "|---|---|---|---|---|",
    ]
    for name in names:
        found = adapter(name)
        programs = ", ".join(f"`{each}`" for each in found.commands) if found else ""
        packages, tested = TESTED.get(
            name, ("", "what constraints.txt says" if name in LIBRARIES else "Holdfast")
        )
        known = ", ".join(f"`{each}`" for each in sorted(recipes(name) or ()))
        lines.append(f"| {name} | {known} | {programs or 'none'} | {packages or 'none'} | {tested} |")
    return lines


def decisions_page() -> str:
    """Return docs/decisions/README.md: every decision by its title, in order."""
    lines = ["# Decisions", "", MADE, "", "Why Holdfast is built as it is.", ""]
    for path in sorted((PROJECT / "docs" / "decisions").glob("[0-9]*.md")):
        with path.open(encoding="utf-8") as text:
            number, _, title = text.readline().removeprefix("# ").strip().partition(". ")
        if path.name[:4] != number.zfill(4):
            raise ValueError(f"{path.name} is numbered {number}")
        lines.append(f"- {number}: [{title}]({path.name})")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


PAGES = {
    "decisions/README.md": decisions_page,
    "findings.md": findings_page,
    "formats.md": formats_page,
    "settings.md": settings_page,
    "technical-metadata.md": technical_metadata_page,
}


if __name__ == "__main__":
    for name, page in PAGES.items():
        (PROJECT / "docs" / name).write_text(page(), encoding="utf-8")
        print(f"docs/{name}")
