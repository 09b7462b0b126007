"""Files: written whole or not at all, appended to record by record, read without running them."""
