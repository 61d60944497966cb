"""Where things are kept: staging, archival storage, catalogue, search index."""
