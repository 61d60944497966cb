"""Records in the words of other standards; one module per standard, each a pure function of the record."""
