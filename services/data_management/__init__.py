"""Data Management (OAIS): the catalogue as others see it, made again from storage, kept in agreement."""
