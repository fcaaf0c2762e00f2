"""Files, resumable jobs, hashes, tables and text, for all other rooms."""
