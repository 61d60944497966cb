"""The command tree's root, which the modules of commands hang their commands on."""

import typer

from cli.options import remember_common

EPILOG = (
    "Exit codes: 0 done · 1 the content's fault · 2 wrong usage · 3 the system's fault · "
    "4 waiting for a person · 5 a copy is damaged · 130 interrupted"
)

app = typer.Typer(
    name="holdfast",
    help="Takes what people deposit, checks it, keeps several verified copies, and gives it back.",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # plain help: Rich would double the start-up time
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
app.callback()(remember_common)


def _group(name: str, what: str) -> typer.Typer:
    """Return a group of commands under the root; `what` is its line of help."""
    group = typer.Typer(name=name, help=what, no_args_is_help=True, rich_markup_mode=None)
    app.add_typer(group)
    return group


token_app = _group(
    "token",
    "API tokens: shown once, stored hashed.",
)
deletion_app = _group(
    "deletion",
    "Requests to delete packages: one person asks (`holdfast delete`), another approves or refuses.",
)
store_app = _group(
    "store",
    "Archival stores: what is known of each, and how they are added, filled, moved and retired.",
)
policy_app = _group(
    "policy",
    "The format policy: what is made of files of which formats, and how it is checked.",
)
