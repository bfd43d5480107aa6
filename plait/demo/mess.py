"""Mess: the faults people make when they type names."""

from collections.abc import Sequence

from plait.demo.market import Rng


def misspelt(rng: Rng, names: Sequence[str], *, every: int) -> list[str]:
    """Swap two letters in the first of every so many names, as a hurried typist does."""
    places = rng.integers(1, 4, len(names)).tolist()
    return [
        _swapped(name, place) if row % every == 0 else name
        for row, (name, place) in enumerate(zip(names, places, strict=True))
    ]


def _swapped(name: str, place: int) -> str:
    return name[:place] + name[place : place + 2][::-1] + name[place + 2 :]


def differences(names: Sequence[str], written: Sequence[str]) -> int:
    """Count the names that were written wrongly: swapping two equal letters is no fault."""
    return sum(name != other for name, other in zip(names, written, strict=True))
