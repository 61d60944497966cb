"""OCFL 1.1: inventories, the layout of a storage root, and the staging of versions. Clauses: https://ocfl.io/1.1/spec/."""
