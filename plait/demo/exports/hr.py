"""HR: how colleagues' skills were assessed, each half-year, on the spreadsheet everybody knows."""

import numpy as np

from plait.demo.market import SELLERS, Rng
from plait.demo.sheet import Bad, Book, Layout, digits, joined, pick, when
from plait.demo.world import World

COLLEAGUES = (
    *SELLERS,
    "Beate Lohr",
    "Jonas Riedl",
    "Mira Falk",
    "Piet Jansen",
    "Nele Oster",
    "Yoon Dahye",
    "Luc Morin",
)
SKILLS = ("SQL", "Negotiation", "Data protection", "Campaign planning", "Customer interviews", "Korean", "Forecasting")
HALF_YEAR = 182.0


def export(world: World, book: Book, rng: Rng) -> None:
    """Write the skills of colleagues: three each, rated 1 to 5, rising slowly."""
    halves = np.arange(1, int(world.calendar.days / HALF_YEAR) + 1)
    colleague, third, half = (grid.ravel() for grid in np.indices((len(COLLEAGUES), 3, len(halves))))
    skill = (colleague * 3 + third * 2) % len(SKILLS)
    base = rng.integers(1, 4, (len(COLLEAGUES), 3))
    rating = np.clip(base[colleague, third] + (half + rng.integers(0, 2, len(half))) // 2, 1, 5)
    at = world.calendar.instant(halves[half] * HALF_YEAR - 3)
    rows = np.argsort(at, kind="stable")
    columns = {
        "Line": digits(1 + np.arange(len(rows))),
        "Assessed on": when(at[rows], "%d/%m/%Y"),
        "Colleague": pick(COLLEAGUES, colleague[rows]),
        "Skill": pick(SKILLS, skill[rows]),
        "Rating": digits(rating[rows]),
        "Remark": joined("Half-year ", digits(halves[half[rows]])),
    }
    book.count("skills", {"skill.assessed": len(rows)})
    bad = [Bad("quantity out of bounds", "quantity", {"Line": "9001", "Rating": "9"})]
    book.table("hr/skills.csv", columns, Layout(encoding="utf-8-sig", quoted=("Remark",)), bad=bad)
