"""Makes docs/cli.md from the command tree: ``python -m cli.reference`` prints it, ``--write`` writes it."""

import sys
from pathlib import Path
from typing import Any

import typer

from cli import commands
from cli.main_app import app

PAGE = Path(__file__).resolve().parent.parent / "docs" / "cli.md"

HEAD = """\
# The command

This page is made from the command tree by `python -m cli.reference --write`; a test checks that it is
current.

Every command takes `--home DIR`, `--json` and `--quiet`, before or after its name. With `--json` there is
nothing on stdout but JSON: one document, or one a line where a command lists (`check`, `ingest`, `identify`,
`list`, `events`, `versions`, `audit`, `repair`, `audits`, `alarms`, `seal --check`, the four decisions,
`store list`, `token list`). An error is a document too: `{"error": {"kind", "message", "hint", "findings"}}`.
Messages and progress go to stderr.
Names of files are shown so that a terminal never obeys them; JSON gives them exactly. `NO_COLOR` is honoured.

| exit code | means |
|---|---|
| 0 | done, valid, intact |
| 1 | the content's fault: rejected, invalid, not found, not possible as things stand |
| 2 | wrong usage, wrong settings |
| 3 | the system's fault: try again later; *unchecked* too |
| 4 | waiting for a person |
| 5 | an archival copy is damaged |
| 130 | interrupted: `holdfast retry ID` or `holdfast reconcile` goes on |

With several subjects it is the worst of 5, 3, 1, 4, 0.
"""
COMMON = frozenset({"home", "json", "quiet", "help"})


def page() -> str:
    """Return docs/cli.md."""
    commands.register()
    root: Any = typer.main.get_command(app)  # typer keeps its command classes private
    parts = [HEAD]
    for name, each in root.commands.items():
        if hasattr(each, "commands"):
            parts += [_section(f"{name} {inner}", command) for inner, command in each.commands.items()]
        else:
            parts.append(_section(name, each))
    return "\n".join(parts)


def _section(name: str, command: Any) -> str:
    lines = [f"## holdfast {name}", ""]
    lines += [paragraph.replace("\n", " ") for paragraph in _paragraphs(command.help)]
    own = [each for each in command.params if each.name not in COMMON]
    lines += ["```", command.epilog.removeprefix("Example: "), "```", ""]
    rows = [f"| `{_word(each)}` | {each.help or ''} |" for each in own if each.param_type_name == "argument"]
    rows += [_option_row(each) for each in own if each.param_type_name == "option"]
    if rows:
        lines += ["| | |", "|---|---|", *rows, ""]
    return "\n".join(lines)


def _word(argument: Any) -> str:
    word = argument.metavar or argument.name.upper()
    word = f"{word}…" if argument.nargs == -1 else word
    return word if argument.required else f"[{word}]"


def _option_row(option: Any) -> str:
    names = ", ".join(f"`{each}`" for each in option.opts)
    value = "" if option.is_flag else f" *{option.metavar}*"
    required = " (required)" if option.required else ""
    return f"| {names}{value} | {option.help or ''}{required} |"


def _paragraphs(text: str) -> list[str]:
    return [part for each in text.strip().split("\n\n") for part in (each.strip(), "")]


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(page(), encoding="utf-8")
    else:
        print(page(), end="")
