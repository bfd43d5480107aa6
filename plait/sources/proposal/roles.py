"""Roles: what each column becomes, told from the words of its name, the sort of its values and its links."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from plait.failure import Said
from plait.sources.proposal.entity import PLAIN, web_kind
from plait.sources.proposal.links import stem_tokens, words_of
from plait.sources.proposal.model import ColumnDraft, FileDraft
from plait.sources.proposal.profile import ColumnProfile
from plait.sources.proposal.sort import (
    CURRENCY,
    DOMAIN,
    EMAIL,
    ENUM,
    JSON,
    NUMBER,
    OPAQUE,
    PHONE,
    TEXT,
    TIME,
    URL,
    WHOLE,
    YES_NO,
)
from plait.sources.proposal.vocabulary import concepts, meaning

IDS = (WHOLE, OPAQUE, TEXT, ENUM, EMAIL)
WORDS = (TEXT, ENUM, OPAQUE)
MONEY = (WHOLE, NUMBER)
LEAST = 0.45
WIDEST = 100  # characters of an id
OWN = {
    "contact": {"person", "customer", "user", "requester"}, "company": {"company", "customer"}, "deal": {"deal"},
    "lead": {"lead"}, "ticket": {"ticket"}, "order": {"order"}, "invoice": {"invoice", "line"},
    "payment": {"payment", "transaction"}, "refund": {"refund"}, "subscription": {"subscription"},
    "message": {"message", "email", "event"}, "web": {"event", "page", "session"}, "spend": {"cost", "ad"},
    "survey": {"survey", "score"}, "form": {"form"}, "meeting": {"meeting", "event"}, "task": {"task"},
    "history": {"history"}, "staff": {"owner", "user"},
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rule:
    """A role: the sorts its values may be of, what its name must mean, with how much that says, and what it may not."""

    role: str
    sorts: Sequence[str]
    names: Sequence[tuple[frozenset[str], float]]
    never: frozenset[str] = frozenset()
    only: tuple[str, ...] = ()  # entities


def _rule(role: str, sorts: Sequence[str], names: str, never: str = "", only: str = "") -> Rule:
    """Read a rule: `a+b 0.9` says that a name with both words counts 0.9."""
    pairs = [part.split() for part in names.split(",")]
    return Rule(
        role, sorts, [(frozenset(words.split("+")), float(weight)) for words, weight in pairs],
        frozenset(never.split()), tuple(only.split()),
    )  # fmt: skip


_AFTER = "updated due closed resolved cancelled paid converted deleted end trial"
MONEY_FILES = "payment invoice refund subscription order"
RULES: tuple[Rule, ...] = (
    _rule("deleted", (YES_NO,), "deleted 1.0, is+deleted 1.0"),
    _rule("live", (YES_NO,), "live 1.0", "time"),
    _rule("created", (TIME,), "created 1.0, created+time 1.0, sent 0.8, own+time 0.7, event+time 0.7, start 0.6, "
          "start+time 0.6, time 0.6", _AFTER + " actor old"),
    _rule("created", (TIME,), "start 0.69, end 0.7", "updated due trial", "invoice"),
    _rule("start", (TIME,), "start 1.0, start+time 1.0", "updated reminder", "meeting"),
    _rule("closed", (TIME,), "closed 1.0, closed+time 1.0, won+time 1.0, end 0.5, end+time 0.5",
          "updated due deleted actor old trial", "deal lead order company contact unknown"),
    _rule("resolved", (TIME,), "resolved 1.0, closed 0.95, closed+time 0.95, end 0.5", "updated due deleted",
          "ticket task"),
    _rule("cancelled", (TIME,), "closed+end 1.0, cancelled 0.95, end 0.6", "updated due start trial", "subscription"),
    _rule("trial_start", (TIME,), "trial+start 1.0", "", "subscription"),
    _rule("trial_end", (TIME,), "trial+end 1.0", "", "subscription"),
    _rule("paid_at", (TIME,), "paid 1.0, paid+time 1.0", "updated", "invoice payment order"),
    _rule("converted", (TIME,), "converted 1.0, converted+time 1.0", "created", "lead"),
    _rule("updated", (TIME,), "updated 0.8", "deleted"),
    _rule("currency", (CURRENCY,), "currency 1.0, amount 0.5"),
    _rule("amount", MONEY, "amount 1.0", "part currency id score probability yearly size quantity clicks move",
          "deal payment refund subscription"),
    _rule("amount", MONEY, "amount+net 1.0, net 1.0, amount+total 0.99, total 0.99, amount 0.96",
          "part currency id score probability yearly size quantity clicks move", "order invoice"),
    _rule("amount", MONEY, "cost 1.0, cost+amount 1.0, amount 0.7", "part currency id score clicks impressions per",
          "spend"),
    _rule("tax", MONEY, "tax 1.0", "id percent", "invoice order"),
    _rule("quantity", MONEY, "quantity 1.0", "amount id"),
    _rule("score", (*MONEY, ENUM, YES_NO), "score 1.0", "id", "survey ticket"),
    _rule("email", (EMAIL,), "email 1.0, requester 0.8, person 0.7, customer 0.7, own 0.6, name 0.5, user 0.6",
          "owner actor partner company recipient"),
    _rule("email", (EMAIL, *WORDS), "recipient 1.0, email 0.9", "time id status campaign type text", "message form"),
    _rule("email", WORDS, "email 0.7", "owner actor is campaign status event recipient message"),
    _rule("phone", (PHONE, WHOLE, NUMBER, OPAQUE, TEXT, ENUM), "phone 1.0", "id other owner time"),
    _rule("domain", (DOMAIN, URL, EMAIL, TEXT, OPAQUE),
          "domain 1.0, domain+url 1.0, domain+name 1.0, company+url 0.8, company+domain 1.0", "owner id actor"),
    _rule("first_name", WORDS, "first 0.8, first+name 1.0", "time id closed converted"),
    _rule("last_name", WORDS, "last 0.8, last+name 1.0", "time id"),
    _rule("name", WORDS, "name 1.0, own+name 1.0, subject 0.9, own 0.5",
          "id first owner actor campaign product status text url email field other job"),
    _rule("subject", WORDS, "subject 1.0", "id", "message campaign list"),
    _rule("number", IDS, "own+number 1.0, number 1.0", "other old actor type", "order invoice ticket"),
    _rule("text", WORDS, "text 1.0, own+text 1.0", "id name"),
    _rule("reason", WORDS, "reason 1.0, lost+reason 1.0, closed+reason 1.0"),
    _rule("won", (YES_NO,), "won 1.0, is+won 1.0", "", "deal"),
    _rule("is_closed", (YES_NO,), "closed 1.0, is+closed 1.0, resolved 0.9", "won", "deal ticket task"),
    _rule("company", IDS, "company+id 1.0, company 0.6",
          "name email phone domain owner channel actor industry size other converted old user"),
    _rule("company", IDS, "customer+id 1.0, customer 0.6", "name email phone actor", MONEY_FILES),
    _rule("company_name", WORDS, "company 0.9, company+name 1.0", "id owner channel actor other converted"),
    _rule("person", IDS, "person+id 1.0, customer+id 0.95, requester+id 0.95, user+id 0.7, person 0.5, customer 0.5",
          "name first owner actor email phone channel converted old other"),
    _rule("anonymous", IDS, "anonymous 0.9, anonymous+id 1.0, session+id 0.5", "", "web form"),
    _rule("user", IDS, "user+id 1.0", "actor owner anonymous", "web"),
    _rule("deal", IDS, "deal+id 1.0, deal 0.5", "name type stage status amount time converted"),
    _rule("ticket", IDS, "ticket+id 1.0", "name form"),
    _rule("payment", IDS, "payment+id 1.0", "name type list"),
    _rule("order", IDS, "order+id 1.0", "name"),
    _rule("subscription", IDS, "subscription+id 1.0", "name product line"),
    _rule("form", IDS, "form+id 1.0", "name", "form"),
    _rule("owner", (*IDS, DOMAIN), "owner 1.0, owner+id 1.0, owner+name 1.0",
          "is email phone actor first last type text"),
    _rule("owner", IDS, "user+id 0.7", "actor", "history"),
    _rule("product", WORDS, "product 0.9, product+name 1.0, product+id 0.9",
          "type list price amount quantity other line",
          "deal order subscription survey ticket payment web"),
    _rule("campaign", (*IDS, NUMBER), "campaign 0.95, campaign+name 1.0, campaign+id 0.9", "status type created"),
    _rule("channel", WORDS, "channel 1.0, channel+name 1.0", "id type url text"),
    _rule("partner", WORDS, "partner 1.0, partner+id 0.9, partner+name 1.0", "",
          "deal lead order payment contact company spend"),
    _rule("status", (ENUM, WHOLE, OPAQUE, TEXT),
          "status 1.0, stage 0.95, stage+id 0.9, status+stage 1.0, status+name 0.9, "
          "stage+name 0.95", "time amount reason old is other"),
    _rule("type", (ENUM, TEXT, OPAQUE), "type 0.9, event 0.8, event+name 1.0, event+type 1.0", "id other",
          "message web meeting task"),
    _rule("field", WORDS, "field+name 1.0, field 0.8, name 0.6", "", "history"),
    _rule("value", (*WORDS, *MONEY, YES_NO, TIME), "new 0.9, new+amount 1.0, amount 0.7", "old", "history"),
    _rule("url", (URL, TEXT, OPAQUE), "url 0.9, page+url 1.0, page 0.7", "id domain other", "web form"),
)  # fmt: skip
MANY = ("deleted",)  # roles that several columns may have


def assign(draft: FileDraft, links_to: dict[str, str]) -> None:
    """Give each column its role, where one is likely; `links_to` says what the file is that a column points at."""
    scored: list[tuple[float, int, str, str]] = []
    noise = _noise(draft)
    rules = [rule for rule in RULES if not any(rule.only) or draft.entity in rule.only]
    for place, (name, column) in enumerate(draft.columns.items()):
        for rule in rules:
            score = _score(column.profile, rule, draft.entity, noise=noise)
            if score >= LEAST:
                scored.append((score, -place, rule.role, name))
        if (linked := _by_link(column, links_to, draft.entity)) is not None:
            scored.append((linked[0], -place, linked[1], name))
        if draft.entity == "web" and any(map(web_kind, column.profile.choices)):
            scored.append((1.0, -place, "type", name))
    _id(draft)
    taken = {column.role for column in draft.columns.values() if column.role}
    for score, _place, role, name in sorted(scored, reverse=True):
        column = draft.columns[name]
        if column.role or (role in taken and role not in MANY):
            continue
        column.role, column.score = role, min(1.0, score)
        column.why = column.why or Said("the name and the values say so")
        taken.add(role)
    _only_one(draft)


def _noise(draft: FileDraft) -> frozenset[str]:
    """Give the words that most columns have and that say nothing, such as a prefix."""
    names = [set(words_of(name)) for name in draft.columns]
    every = {word for words in names for word in words}
    return frozenset(w for w in every if sum(w in words for words in names) > max(3, len(names) * 0.5))


def _only_one(draft: FileDraft) -> None:
    """Take the only column of e-mail addresses, or of times, for what it must be, whatever its name."""
    for role, sort, never in (("email", EMAIL, {"owner", "actor", "recipient"}), ("created", TIME, {"updated", "due"})):
        some = [c for c in draft.columns.values() if c.profile.sort.name == sort and not c.profile.name.startswith("_")]
        if draft.of(role) is None and len(some) == 1 and not some[0].role and not meaning(some[0].profile.name) & never:
            some[0].role, some[0].score, some[0].why = role, LEAST, Said("it is the only one of its sort")


def rivals(draft: FileDraft, role: str, close: float) -> list[ColumnDraft]:
    """Give the columns without a role that fit one nearly as well as the column that has it."""
    chosen = draft.of(role)
    if chosen is None:
        return []
    rules = [rule for rule in RULES if rule.role == role]
    noise = _noise(draft)
    return [
        column for column in draft.columns.values()
        if column is not chosen and column.profile.filled and column.role in ("", "detail")
        and max(_score(column.profile, rule, draft.entity, noise=noise) for rule in rules) >= chosen.score - close
    ]  # fmt: skip


def _score(column: ColumnProfile, rule: Rule, entity: str, *, noise: frozenset[str]) -> float:
    if column.name.startswith("_") and rule.role != "deleted":
        return 0.0
    if any(rule.only) and entity not in rule.only:
        return 0.0
    if rule.role == entity and entity in ("order", "ticket", "deal", "payment", "subscription"):
        return 0.0  # its own id is no reference to another
    if rule.role == "name" and entity == "history":
        return 0.0  # the name is that of the field
    empty = not column.filled
    if not empty and column.sort.name not in rule.sorts:
        return 0.0
    if empty and rule.role in ("id", "won", "is_closed", "deleted"):
        return 0.0
    words = [w for w in words_of(column.name) if w not in noise]
    own = OWN.get(entity, set())
    means = frozenset(c for w in words for c in concepts(w)) | (
        {"own"} if any(concepts(w) & own for w in words) else set()
    )
    if means & rule.never:
        return 0.0
    best = 0.0
    for wanted, weight in rule.names:
        if not wanted <= means:
            continue
        spare = [
            w for w in words
            if not concepts(w) & wanted and not concepts(w) & own and not concepts(w) & {"fill", "is", "time"}
        ]  # fmt: skip
        if "own" in wanted and len(wanted) == 1 and len(words) > 1:
            continue
        cost = 0.3 if rule.role in ("amount", "tax", "trial_start", "trial_end") else 0.15  # money is easily mistaken
        best = max(best, weight - cost * len(spare) - 0.01 * (len(words) - len(wanted)))
    if empty:
        best -= 0.25
    return best - 0.15 * (column.sort.name == JSON) + 0.02 * (column.sort.timed and best > 0)


def _by_link(column: ColumnDraft, links_to: dict[str, str], entity: str) -> tuple[float, str] | None:
    """Give the role that follows from what the column points at."""
    link = column.link
    if link is None or entity == "join":
        return None
    target = links_to.get(link.file, "")
    if entity == "history" and "user" in meaning(column.profile.name):
        return None  # who changed it is not whom it is about
    role = {
        "contact": "person", "company": "company", "deal": "deal", "ticket": "ticket", "payment": "payment",
        "order": "order", "subscription": "subscription", "staff": "owner", "lead": "person",
    }.get(target)  # fmt: skip
    meant = meaning(column.profile.name)
    if role == "person" and "owner" in meant:
        role = "owner"
    if role is None or meant & {"actor", "other", "updated", "old", "converted"}:
        return None
    if role == "owner" and not meant & {"owner", "user"}:
        return None
    if role == "owner" and "user" in meant and "owner" not in meant:
        return None  # whoever wrote or changed it is not in charge of it
    score = (
        0.55 + 0.4 * min(1.0, link.share) + 0.1 * link.likeness - 0.1 * max(0, len(words_of(column.profile.name)) - 2)
    )
    if "owner" in meant and role == "owner":
        score += 0.2
    column.why = (
        Said("{share} % of its values are ids in {file}", share=round(100 * link.share), file=link.file)
        if link.share
        else Said("its name says that it is an id in {file}", file=link.file)
    )
    return score, role


def _stem(draft: FileDraft) -> frozenset[str]:
    return frozenset(form for word in stem_tokens(draft.profile.name) for form in (word, word.removesuffix("s")))


def _id(draft: FileDraft) -> None:
    """Choose the column that tells the rows apart."""
    own = OWN.get(draft.entity, set())
    best, best_score = None, 0.0
    for place, column in enumerate(draft.columns.values()):
        profile = column.profile
        pointing = draft.entity in ("form", "history") and (column.link or meaning(profile.name) & {"deal", "ticket"})
        if column.role or pointing or profile.sort.name not in IDS:
            continue
        if profile.wide > WIDEST or profile.filled < draft.profile.rows:
            continue
        words = words_of(profile.name)
        ids = [w for w in words if "id" in concepts(w)]
        rest = [w for w in words if w not in ids and not concepts(w) & own and w not in _stem(draft)]
        score = 0.0
        often = profile.distinct < draft.profile.rows * 0.5  # of snapshots one thing has several rows
        if ids and not rest and not often and (profile.unique or draft.entity in PLAIN):
            score = (1.0 if profile.unique else 0.8) - 0.02 * (len(words) - 1)
        elif not profile.unique:
            continue
        elif ids and place == 0:
            score = 0.7
        elif words and not rest:
            score = 0.6
        elif profile.sort.name == OPAQUE and place == 0:
            score = 0.5
        if score > best_score:
            best, best_score = column, score
    if best is not None:
        best.role, best.score = "id", best_score
        best.why = Said("every row has another value")
