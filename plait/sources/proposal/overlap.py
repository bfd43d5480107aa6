"""Overlap: files that tell the same money in several ways, by campaign or by country, of which one counts."""

from __future__ import annotations

from collections.abc import Sequence

from plait.failure import Said
from plait.sources.proposal.links import stem_tokens
from plait.sources.proposal.model import Answers, FileDraft, Question
from plait.sources.proposal.vocabulary import meaning

SAME_MONEY = "spend"  # the key of the question which of them counts
EVERY = "every"
CUTS = frozenset(
    ("country", "region", "demographics", "keyword", "search", "term", "device", "age", "gender", "placement")
)


def told_once(files: Sequence[FileDraft], answers: Answers) -> None:
    """Let only one of several files of spend count: the one by campaign, or else the one that is cut the least."""
    spending = _spending(files)
    chosen = answers.get(SAME_MONEY)
    if len(spending) < 2 or chosen == EVERY:  # noqa: PLR2004 - nothing is told twice
        return
    kept = next((file for file in spending if file.profile.name == chosen), spending[0])
    for file in spending:
        if file is not kept:
            file.entity = "list"
            file.notes.append(Said("it tells the same money as {file}, which counts", file=kept.profile.name))
            file.why = Said("it tells the same money as {file}", file=kept.profile.name)


def question_of(files: Sequence[FileDraft]) -> Question | None:
    """Ask which of several files of spend counts."""
    spending = [
        *_spending(files),
        *(file for file in files if file.entity == "list" and file.of("amount") and _cost(file)),
    ]
    if len(spending) < 2:  # noqa: PLR2004 - nothing to choose
        return None
    names = tuple((file.profile.name, file.profile.name) for file in spending)
    return Question(
        SAME_MONEY, Said("Which of these files tells what was spent?"),
        Said("{n} files have costs by day, which may be the same money cut in several ways", n=len(spending)),
        (*names, (EVERY, Said("all of them: each is other money"))), spending[0].profile.name,
    )  # fmt: skip


def _cost(file: FileDraft) -> bool:
    amount = file.of("amount")
    return amount is not None and "cost" in meaning(amount.profile.name)


def _spending(files: Sequence[FileDraft]) -> list[FileDraft]:
    """Give the files of spend, the one that should count first."""
    return sorted((file for file in files if file.entity == "spend" and file.of("amount")), key=_rank)


def _rank(file: FileDraft) -> tuple[int, int, int]:
    words = stem_tokens(file.profile.name)
    cut = sum(word in CUTS for word in words)
    by_campaign = any("campaign" in meaning(word) for word in words)
    return cut, 0 if by_campaign else 1 if file.of("campaign") else 2, file.profile.rows
