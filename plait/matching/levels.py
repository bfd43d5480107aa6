"""How a field of two records may be alike, from equal to different. What each level says is learnt, not set here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from splink.comparison_library import CustomComparison

Level = tuple[str, str]  # a condition over the left and right record, and what it is called
RARE = frozenset(("given", "family", "name", "company", "email", "city", "postcode", "domain", "phone", "street"))
WORKPLACE = ("company", "postcode", "city", "region", "domain")
NEAR = {"given": 0.9, "family": 0.9, "name": 0.92, "company": 0.92, "city": 0.9, "street": 0.9}


def comparisons(fields: Sequence[str]) -> list[CustomComparison]:
    """Give the comparisons of the fields that there are.

    Where people have a firm, its name, postal code and town are one comparison, and an address that is made of the
    name says nothing beside the name: colleagues and namesakes would else be alike three times over for one reason.
    """
    firm = "company" in fields
    if not firm:
        return [_comparison(name, list(_levels(name, fields))) for name in fields]
    alone = [name for name in fields if name not in (*WORKPLACE, "email", "handle")]
    made = [_comparison(name, list(_levels(name, fields))) for name in alone]
    made += [_work_address()] if "email" in fields else []
    return [*made, _workplace([name for name in WORKPLACE if name in fields])]


def _work_address() -> CustomComparison:
    """Give the comparison of addresses at work; `handle` is what stands before the @ where it is not the name."""
    import splink.comparison_level_library as cll
    from splink.comparison_library import CustomComparison

    unknown = "email_l is null or email_r is null or (email_l <> email_r and (handle_l is null or handle_r is null))"
    levels: list[Any] = [
        cll.CustomLevel(unknown, label_for_charts="unknown").configure(is_null_level=True),
        cll.ExactMatchLevel("email", term_frequency_adjustments=True).configure(label_for_charts="equal"),
        cll.CustomLevel("handle_l = handle_r", label_for_charts="same before the @"),
        cll.CustomLevel(_alike("handle_l", "handle_r", 0.9), label_for_charts="alike before the @"),
        cll.ElseLevel().configure(label_for_charts="different"),
    ]
    return CustomComparison(levels, output_column_name="email")


def _workplace(fields: Sequence[str]) -> CustomComparison:
    """Give the comparison of where somebody works: the narrowest that agrees."""
    import splink.comparison_level_library as cll
    from splink.comparison_library import CustomComparison

    unknown = " and ".join(f"({name}_l is null or {name}_r is null)" for name in fields)
    ways = [f"{_alike('company_l', 'company_r', NEAR['company'])} or {_within('company')}"]
    labels = ["nearly the same firm"]
    for name, label in (("postcode", "same postal code"), ("city", "same town"), ("region", "same region")):
        if name in fields:
            ways, labels = [*ways, f"{name}_l = {name}_r"], [*labels, label]
    levels: list[Any] = [
        cll.CustomLevel(unknown, label_for_charts="unknown").configure(is_null_level=True),
        cll.ExactMatchLevel("company", term_frequency_adjustments=True).configure(label_for_charts="same firm"),
        *(cll.CustomLevel(way, label_for_charts=label) for way, label in zip(ways, labels, strict=True)),
        cll.ElseLevel().configure(label_for_charts="different"),
    ]
    return CustomComparison(levels, output_column_name="workplace")


def _comparison(name: str, levels: Sequence[Level]) -> CustomComparison:
    import splink.comparison_level_library as cll
    from splink.comparison_library import CustomComparison

    equal = cll.ExactMatchLevel(name, term_frequency_adjustments=name in RARE).configure(label_for_charts="equal")
    others = [cll.CustomLevel(condition, label_for_charts=label) for condition, label in levels]
    last = cll.ElseLevel().configure(label_for_charts="different")
    made: list[Any] = [cll.NullLevel(name).configure(label_for_charts="unknown"), equal, *others, last]
    return CustomComparison(made, output_column_name=name)


def _levels(name: str, fields: Sequence[str]) -> Iterator[Level]:
    """Give the levels between equal and different."""
    if name in ("given", "family"):
        other = "family" if name == "given" else "given"
        yield _alike(f"{name}_l", f"{name}_r", NEAR[name]), "nearly equal"
        if other in fields:
            yield _turned(name, other), "in each other's place"
        yield f"{_alike(f'{name}_l', f'{name}_r', 0.78)} or {_begins(name)}", "alike"
    elif name == "born":
        yield _letters("born", 1), "one digit apart"
        yield _letters("born", 2), "two digits apart"
        yield "left(born_l, 4) = left(born_r, 4) or right(born_l, 4) = right(born_r, 4)", "same year, or same day"
        yield "left(born_l, 3) = left(born_r, 3)", "same decade"
    elif name == "email":
        left, right = (f"split_part(email_{side}, '@', 1)" for side in "lr")
        yield f"{left} = {right}", "same before the @"
        yield _alike("email_l", "email_r", 0.95), "nearly equal"
        yield _alike("email_l", "email_r", 0.88), "alike"
    elif name in ("phone", "number", "postcode", "house"):
        yield _letters(name, 1), "one digit apart"
        if name == "phone":
            yield "left(phone_l, length(phone_l) - 3) = left(phone_r, length(phone_r) - 3)", "same but the last digits"
        if name == "number":
            yield _letters("number", 2), "two digits apart"
    elif name in ("name", "street"):
        yield f"{_alike(f'{name}_l', f'{name}_r', NEAR[name])} or {_shared(name, 0.89)}", "nearly equal"
        yield _within(name), "one is part of the other"
        yield f"{_alike(f'{name}_l', f'{name}_r', 0.8)} or {_shared(name, 0.57)}", "alike"
    elif name == "city":
        yield _alike("city_l", "city_r", NEAR["city"]), "nearly equal"
    elif name == "domain":
        yield "split_part(domain_l, '.', 1) = split_part(domain_r, '.', 1)", "same but the ending"


def _alike(one: str, other: str, least: float) -> str:
    return f"jaro_winkler_similarity({one}, {other}) >= {least}"


def _turned(name: str, other: str) -> str:
    """Ask whether each name is the other's other name; where one of them is unknown the rest has to do."""
    ways = [_alike(f"{name}_{a}", f"{other}_{b}", 0.93) for a, b in ("lr", "rl")]
    return " or ".join(f"({one} and coalesce({two}, true))" for one, two in (ways, ways[::-1]))


def _begins(name: str) -> str:
    """One is the beginning or the initial of the other: Rob, Robert; J, Jane."""
    return f"starts_with({name}_l, {name}_r) or starts_with({name}_r, {name}_l)"


def _letters(name: str, most: int) -> str:
    """At most so many letters or digits apart; counted only where it can be, as counting costs a hundred times more."""
    left, right = f"{name}_l", f"{name}_r"
    near = f"jaro_similarity({left}, {right}) >= 0.7"
    return f"case when {near} then damerau_levenshtein({left}, {right}) <= {most} else false end"


def _words(column: str) -> str:
    return f"string_split({column}, ' ')"


def _shared(name: str, least: float) -> str:
    """Ask for a share of words that both have (Dice), only where letters are alike at all."""
    left, right = _words(f"{name}_l"), _words(f"{name}_r")
    words = f"2 * len(list_intersect({left}, {right})) >= {least} * (len({left}) + len({right}))"
    return f"case when jaccard({name}_l, {name}_r) >= 0.4 then {words} else false end"


def _within(name: str) -> str:
    """Ask whether the words of one are all among those of the other."""
    left, right = _words(f"{name}_l"), _words(f"{name}_r")
    words = f"list_has_all({left}, {right}) or list_has_all({right}, {left})"
    return f"case when jaccard({name}_l, {name}_r) >= 0.25 then {words} else false end"
