"""What the archive can do: one module for each use case, and the composition root."""
