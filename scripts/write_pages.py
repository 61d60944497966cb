"""Writes the pages of docs/ that come from data. A test says when they are old.

Run it as `.venv/bin/python scripts/write_pages.py`
after a change of schemas/findings.json or services/settings.py, and for a new decision.
"""

import json
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))  # the rooms are top-level packages of the project's folder

from services.settings import Settings, StoreFacts  # noqa: E402  # only found after the line above

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
        lines.append(
            f"| `{code}` | {entry['severity']} | {_cell(entry['sentence'])} | {_cell(entry['hint'])} |"
        )
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


PAGES = {"decisions/README.md": decisions_page, "findings.md": findings_page, "settings.md": settings_page}


if __name__ == "__main__":
    for name, page in PAGES.items():
        (PROJECT / "docs" / name).write_text(page(), encoding="utf-8")
        print(f"docs/{name}")
