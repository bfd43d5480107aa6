"""Paths of touches to conversions: what they add up to, and who earned what of it (docs/attribution.md)."""
