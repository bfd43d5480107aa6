"""Back-test: fit on early rows, foretell later ones, compare with what came and with simpler ways to foretell."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace

import numpy as np

from plait.failure import Misused, Said
from plait.stats.chance.design import Array, Columns, take
from plait.stats.chance.figures import Figures, Tenth, figures
from plait.stats.chance.fit import Model, NotEnough, fit

PLAIN = "plain logistic regression"
LEAST_LATER_EVENTS = 10
WORSE_BY = 0.01  # of AUC: less is no difference


class BadSplit(Misused, ValueError):
    """A part to learn from that leaves nothing to learn, or nothing to judge by."""


@dataclass(frozen=True, slots=True)
class BackTest:
    """What the model was worth on later rows, beside other ways to foretell, by their names.

    `against` has at least a plain logistic regression, fitted to the same rows and neither held back nor calibrated.
    """

    learned_from: int
    base: float
    model: Figures
    against: Mapping[str, Figures]

    def told(self) -> dict[str, object]:
        """Give it as JSON keeps it."""
        return asdict(self)

    @classmethod
    def of(cls, told: Mapping[str, object]) -> BackTest:
        """Give what `told` has told."""
        model, against = told["model"], told["against"]
        assert isinstance(model, dict)  # noqa: S101 - as `told` has written it
        assert isinstance(against, dict)  # noqa: S101
        others = {str(name): _figures(one) for name, one in against.items()}
        return cls(int(str(told["learned_from"])), float(str(told["base"])), _figures(model), others)


def back_test(
    columns: Columns, happened: Array, *, cut: int, scores: Mapping[str, Array] | None = None
) -> tuple[BackTest, Model]:
    """Fit to the rows before `cut`, foretell the others; `scores` are other ways to foretell, a number a row each.

    Refused (`NotEnough`) with too few outcomes before the cut for the parameters, or fewer than 10 after it.
    """
    if not 0 < cut < happened.size:
        raise BadSplit(Said("{n} rows cannot be split at {cut}; choose a share between 0 and 1.",
                            n=happened.size, cut=cut))  # fmt: skip
    early, late = np.arange(cut), np.arange(cut, happened.size)
    before, after, came = take(columns, early), take(columns, late), happened[late]
    events = int(min(came.sum(), came.size - came.sum()))
    if events < LEAST_LATER_EVENTS:
        says = "not enough: {events} outcomes after the cut, it takes {least} to judge a model by."
        raise NotEnough(Said(says, events=events, least=LEAST_LATER_EVENTS))
    model = fit(before, happened[early])
    plain = fit(before, happened[early], penalty=1e6, calibrate=False)
    base = float(happened[early].mean())
    against = {PLAIN: figures(came, plain.chance(after), base=base)}
    for name, score in (scores or {}).items():
        against[name] = figures(came, score[late], base=base, chance=False)
    return BackTest(cut, base, figures(came, model.chance(after), base=base), against), model


def gate(test: BackTest, beaten: Collection[str] = ()) -> list[str]:
    """Say what stands against putting the model in force; nothing when it may be.

    It must rank better than the ways named in `beaten`, and no worse than the others.
    """
    model = test.model
    reasons: list[str] = []
    if model.auc_low <= 0.5:  # noqa: PLR2004 - a coin
        says = "It does not rank better than chance: AUC {auc:.3f}, 95 % interval {low:.3f} to {high:.3f}."
        reasons.append(Said(says, auc=model.auc, low=model.auc_low, high=model.auc_high))
    for name, other in test.against.items():
        behind = name in beaten and model.auc <= other.auc
        if (
            behind
            or model.auc < other.auc - WORSE_BY
            or (model.auc < other.auc + WORSE_BY and model.lift < 0.9 * other.lift)
        ):
            says = "{name} is as good: AUC {other:.3f} against {auc:.3f}, lift {other_lift:.2f} against {lift:.2f}."
            reasons.append(
                Said(says, name=Said(name), other=other.auc, auc=model.auc, other_lift=other.lift, lift=model.lift)
            )
    if model.brier is not None and model.brier >= model.brier_base:
        says = "Its chances are further from what came than one rate for all (Brier {brier:.4f} against {base:.4f})."
        reasons.append(Said(says, brier=model.brier, base=model.brier_base))
    if model.slope is not None and not 0.67 <= model.slope <= 1.5:  # noqa: PLR2004 - half as far again, either way
        says = "It is not calibrated: the slope of what came on what was foretold is {slope:.2f}, 0.67 to 1.5 will do."
        reasons.append(Said(says, slope=model.slope))
    if model.ratio_low is not None and model.ratio_high is not None and not model.ratio_low <= 1 <= model.ratio_high:
        ratio = model.came_to_foretold or 0.0
        if not 0.8 <= ratio <= 1.25:  # noqa: PLR2004 - a fifth off, either way
            says = "It is not calibrated: {ratio:.2f} times what was foretold came, 0.8 to 1.25 will do."
            reasons.append(Said(says, ratio=ratio))
    return reasons


def _figures(told: Mapping[str, object]) -> Figures:
    tenths = told["tenths"]
    made = Figures(**{**told, "tenths": ()})  # type: ignore[arg-type]
    assert isinstance(tenths, list | tuple)  # noqa: S101 - as `told` has written it
    return replace(made, tenths=tuple(Tenth(**one) for one in tenths))
