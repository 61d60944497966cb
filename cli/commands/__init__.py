"""The commands, a module for each kind of work."""

from importlib import import_module

MODULES = (
    "opening",
    "depositing",
    "looking",
    "deciding",
    "changing",
    "deleting",
    "auditing",
    "formats",
    "migrating",
    "policy",
    "keeping",
    "judging",
    "stores",
    "tokens",
    "serving",
)
"""In the order in which `holdfast --help` shows them."""


def register() -> None:
    """Hang every command on the tree; again is a no-op."""
    for each in MODULES:
        import_module(f"cli.commands.{each}")
