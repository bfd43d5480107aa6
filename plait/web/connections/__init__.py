"""Connections: systems whose data plait fetches itself, on a schedule."""
