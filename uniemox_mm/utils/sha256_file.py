"""SHA-256 of a file."""

import hashlib
from pathlib import Path


def sha256_file(path: str | Path) -> str:
    """Compute the SHA-256 of a file of any size, as 64 hex digits."""
    with Path(path).open('rb') as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
