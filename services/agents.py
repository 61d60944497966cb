"""Who acts where nobody does: Holdfast itself, as events, bags and receipts name it."""

from importlib.metadata import version

from packages.model import Agent

HOLDFAST = Agent("Holdfast", "software", version("holdfast"))
