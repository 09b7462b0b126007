"""Files: atomic writes, locks, append logs, checksums, loading that validates and runs nothing."""
