"""BagIt (RFC 8493 and its drafts from 0.93 on): reading, checking, writing, and asking a second judge."""
