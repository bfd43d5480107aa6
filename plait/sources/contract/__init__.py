"""Data contracts: what a source promises, who stands for it, and how each load kept to it."""

from __future__ import annotations

from plait.sources.contract.form import BadContract, Contract
from plait.sources.contract.reading import read_contract

__all__ = ["BadContract", "Contract", "read_contract"]
