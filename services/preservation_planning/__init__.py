"""Preservation Planning (OAIS): what formats there are, what threatens them, and what is done about it."""
