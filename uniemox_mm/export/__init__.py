"""Models in formats that other projects read, and their JSON."""
