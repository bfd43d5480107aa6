"""Trust: how much credit each model of attribution gives to the wrong channel where the truth is known.

Nobody knows the truth of a firm, so it is made: people who meet channels and convert by stated chances, without and
with people who had decided before. What comes out is computed by this very program, once in a process.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock

from plait.web.results import Kept

PEOPLE, SEED = 80_000, 3


@dataclass(frozen=True, slots=True)
class Trial:
    """A simulated log: how strongly intent misleads, the share that no channel caused, each model's wrong share."""

    strength: str
    baseline: float
    wrong: Mapping[str, float]


_MADE: Kept[list[Trial]] = Kept(1)
_MAKING = Lock()


def known() -> bool:
    """Tell whether the trials are made already."""
    return _MADE.get(PEOPLE) is not None


def trials() -> list[Trial]:
    """Give the trials, the weakest intent first; who asks first makes them, the others wait."""
    with _MAKING:
        made = _MADE.get(PEOPLE)
        if made is None:
            made = _tried()
            _MADE.put(PEOPLE, made)
        return made


def _tried() -> list[Trial]:
    from plait.stats.paths.counting import counted
    from plait.stats.paths.journeys import from_touches
    from plait.stats.paths.models import MODELS
    from plait.stats.paths.truth import STRENGTHS, misallocated, simulated

    found = []
    for name, strength in STRENGTHS.items():
        made = simulated(PEOPLE, strength=strength, seed=SEED)
        log = from_touches(made.channels, made.touches, made.conversions, as_of=made.as_of, lookback=None, blocks=1)
        total = counted(log).total()
        wrong = {
            model: misallocated(how.share(total, None).credit[0][:-1], made.shares) for model, how in MODELS.items()
        }
        found.append(Trial(name, made.baseline, wrong))
    return found
