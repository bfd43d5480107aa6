"""Erasing on the desk: requests of persons, and what the desk's own database keeps of them."""
