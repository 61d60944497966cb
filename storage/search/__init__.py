"""The search index: a projection of the catalogue that can be wiped and made again at any time."""
