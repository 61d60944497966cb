"""How much is said of one XML document: known to the child that judges, and to whoever believes it."""

MOST_MESSAGES = 1000
LONGEST = 1000
"""Characters of a message."""
