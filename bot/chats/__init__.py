"""People: one module per platform, each only translates."""
