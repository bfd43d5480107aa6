"""Entities: what the rows of a file are, told from its name and from the columns that it has."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from plait.failure import Said
from plait.sources.proposal.links import is_join, stem_tokens, words_of
from plait.sources.proposal.model import Link
from plait.sources.proposal.profile import ColumnProfile, FileProfile
from plait.sources.proposal.sort import CURRENCY, EMAIL, ENUM, NUMBER, TIME, WHOLE, YES_NO
from plait.sources.proposal.vocabulary import concepts, is_outcome, meaning

# The last word of a file's name that says what its rows are, by what it may mean, in this order.
HEADS: tuple[tuple[str, str], ...] = (
    ("history", "history"), ("score", "survey"),
    ("comment", "list"), ("line", "list"), ("move", "list"), ("survey", "survey"),
    ("refund", "refund"),
    ("payment", "payment"), ("invoice", "invoice"), ("subscription", "subscription"), ("order", "order"),
    ("ticket", "ticket"), ("lead", "lead"), ("deal", "deal"), ("meeting", "meeting"), ("task", "task"),
    ("company", "company"), ("person", "contact"), ("customer", "contact"), ("owner", "staff"), ("user", "user"),
    ("form", "form"), ("page", "web"), ("session", "web"), ("message", "message"), ("email", "message"),
    ("event", "event"), ("cost", "spend"), ("ad", "ad"), ("adset", "ad"), ("campaign", "campaign"),
    ("product", "list"), ("list", "list"), ("stage", "list"), ("domain", "list"), ("transaction", "list"),
)  # fmt: skip
UNMISTAKEN = ("deal", "ticket")  # by their columns, whatever list a name speaks of
STRONG = 0.6  # of what columns say: more than the word `list` in a name
PLAIN = ("contact", "company", "deal", "lead", "ticket", "order", "invoice", "payment", "refund", "subscription")
_ROMANCE = frozenset(("de", "du", "des", "del"))  # the first noun is what it is: `lignes de facture`
MESSAGES = {
    "message.sent": "sent send delivered versendet gesendet zugestellt envoye distribue enviado entregado 발송 전송",
    "message.opened": "open opened read geoffnet geoeffnet ouvert lu abierto leido 열람 오픈",
    "message.clicked": "click clicked geklickt clique clic 클릭",
    "message.unsubscribed": "unsubscribe unsubscribed optout abgemeldet desabonne desinscrit baja 수신거부",
}

EVENTS = {
    "page.viewed": "page_view pageview page_viewed viewed",
    "screen.viewed": "screen_view screen_viewed",
    "visit.started": "session_start visit",
    "user.signed_in": "login sign_in signin",
    "form.submitted": "form_submit generate_lead form_submission",
    "content.downloaded": "file_download download",
}


class Facts:
    """What can be asked of a file's columns to tell what its rows are."""

    def __init__(self, file: FileProfile) -> None:
        self.file = file
        self.filled = [c for c in file.columns if c.filled] or list(file.columns)

    def has(self, *needed: str, sorts: Sequence[str] = ()) -> bool:
        """Tell whether a column's name means all of `needed`, and its values are of one of `sorts`."""
        return any(self._fits(c, needed, sorts) for c in self.file.columns)

    @staticmethod
    def _fits(column: ColumnProfile, needed: Sequence[str], sorts: Sequence[str]) -> bool:
        return meaning(column.name).issuperset(needed) and (not sorts or column.sort.name in sorts)

    def own_id(self, concept: str) -> bool:
        """Tell whether a column that tells the rows apart is the id of such a thing, in so many words."""
        return any(
            c.unique and (m := meaning(c.name)) >= {concept, "id"} and len(words_of(c.name)) <= 3  # noqa: PLR2004
            and not m & {"old", "other"} for c in self.filled
        )  # fmt: skip

    def of_sort(self, *sorts: str) -> list[ColumnProfile]:
        """Give the columns of a sort."""
        return [c for c in self.filled if c.sort.name in sorts]

    def says(self, meant: str, *names: str) -> bool:
        """Tell whether one of a column's few values says an outcome; of the columns that `names` mean."""
        return any(
            is_outcome(value, meant) for c in self.of_sort(ENUM) if meaning(c.name) & set(names) for value in c.choices
        )


def entity_of(
    file: FileProfile, links: Sequence[Link], pointed_at: Sequence[str], beside: Collection[str] = ()
) -> tuple[str, float, str]:
    """Tell what a file's rows are, how sure that is, and why.

    `pointed_at` are the columns that point at it, `beside` the names of the files that came with it.
    """
    facts = Facts(file)
    if not file.rows:
        return "unknown", 1.0, Said("it has no rows")
    if is_join(file) or _only_links(file, links):
        return "join", 0.9, Said("its columns are ids of two other files")
    by_columns = _by_columns(facts)
    named, why = _by_name(file, facts, pointed_at, beside)
    if by_columns.get("spend", 0) >= 0.9 and named in ("", "ad", "campaign", "spend", "list"):  # noqa: PLR2004 - costs and clicks
        return "spend", 0.9, Said("it has costs beside clicks or views, by day")
    if named == "list" and _is_steps(facts, links):
        return "history", 0.7, Said("each row is a step that a deal or ticket came to")
    if named in ("ad", "campaign", "event"):
        best = max(by_columns, key=lambda one: by_columns[one], default="")
        if named != "event":
            return "list", 0.7, why
        if _is_calendar(facts):
            return "meeting", 0.7, Said("it is a calendar: its rows begin and end")
        if best in ("message", "web") and by_columns[best] >= 0.4:  # noqa: PLR2004 - no more than a hint
            return best, 0.7, why
        return "unknown", 0.3, Said("its rows are events of some sort")
    best = max(by_columns, key=lambda one: by_columns[one], default="")
    enough = best in UNMISTAKEN if named == "list" else named == "" and best not in ("list", "history")
    if enough and by_columns.get(best, 0) >= STRONG:
        return best, min(0.85, by_columns[best]), Said("its columns say so")
    if named:
        return named, 0.95 if by_columns.get(named, 0) >= 0.5 else 0.8, why  # noqa: PLR2004 - the columns agree
    if not best or by_columns[best] < 0.4:  # noqa: PLR2004 - no more than a hint
        return "unknown", 0.3, Said("neither its name nor its columns say what the rows are")
    return best, by_columns[best], Said("its columns say so")


def _only_links(file: FileProfile, links: Sequence[Link]) -> bool:
    """Tell whether a file has nothing but ids of others: such as contact and list."""
    pointing = {link.column for link in links if link.likeness >= 0.7}  # noqa: PLR2004 - as the names say
    telling = [c for c in file.columns if not c.name.startswith("_") and c.sort.name not in (TIME, YES_NO)]
    rest = [c for c in telling if c.name not in pointing and not meaning(c.name) & {"id", "type"}]
    return len(pointing) > 1 and not rest


def _by_name(file: FileProfile, facts: Facts, pointed_at: Sequence[str], beside: Collection[str]) -> tuple[str, str]:
    words = stem_tokens(file.name)
    ordered = words if _ROMANCE & set(words) else list(reversed(words))
    for n, word in enumerate(ordered):
        meant = concepts(word)
        head = next((entity for concept, entity in HEADS if concept in meant), None)
        if head is None:
            continue
        why = Said("its name says {word!r}", word=word)
        if head == "history" and _is_snapshot(facts) and not _of_another(words, beside):
            continue  # the rows are states of a thing, not changes of it
        before = [c for other in ordered[n + 1 :] for c in concepts(other)]
        if head in ("user", "contact") and "customer" in meant and _of_companies(facts, pointed_at):
            return "company", why
        if head == "user":
            return _people(facts, pointed_at), why
        if head in ("event", "form") and {"email", "message"} & set(before):
            return "message", why
        if head == "company" and not facts.has("name") and facts.has("domain"):
            return "company", why
        if head in ("payment", "invoice", "order") and n and concepts(ordered[n - 1]) == frozenset():
            return "list", Said("its name says {word!r}, of something else", word=ordered[n - 1])
        if n and not any("fill" in concepts(w) for w in ordered[:n]) and head in PLAIN and not _known(ordered[:n]):
            return "list", Said("its name says {word!r}, of something else", word=ordered[0])
        return head, why
    return "", ""


def _of_another(words: Sequence[str], beside: Collection[str]) -> bool:
    """Tell whether the things whose states these are have a file of their own."""
    thing = [word for word in words if "history" not in concepts(word)]
    return any(list(stem_tokens(name)) == thing for name in beside)


def _is_snapshot(facts: Facts) -> bool:
    """Tell whether rows hold a thing whole, as it was after a change, and not the field that changed."""
    own = any(words_of(c.name) == ("id",) for c in facts.filled)
    change = facts.has("field") or facts.has("old") or any(words_of(c.name) == ("value",) for c in facts.filled)
    return own and not change


def _is_steps(facts: Facts, links: Sequence[Link]) -> bool:
    about = {link.column for link in links if meaning(link.column) & {"deal", "ticket"}}
    repeated = any(not c.unique for c in facts.filled if c.name in about)
    entered = facts.has("created", "time", sorts=(TIME,))
    return (
        bool(about) and (repeated or entered) and entered and any(words_of(c.name) == ("value",) for c in facts.filled)
    )


def _is_calendar(facts: Facts) -> bool:
    return facts.has("start", "time", sorts=(TIME,)) and facts.has("end", "time", sorts=(TIME,))


def _known(words: Sequence[str]) -> bool:
    """Tell whether the words behind the one that says what a file holds change nothing of it: a number, a day."""
    return all(concepts(word) & {"time", "created", "is", "status", "id", "new", "sent"} for word in words)


def _of_companies(facts: Facts, pointed_at: Sequence[str]) -> bool:
    """Tell whether customers are companies: who pays is one, where no first and last names say otherwise."""
    if any("first" in meaning(c.name) and {"name"} & meaning(c.name) for c in facts.filled):
        return False
    money = {"payment", "invoice", "subscription", "refund", "order"}
    pays = any(money & meaning(name.partition("@")[2]) for name in pointed_at)
    return pays or bool(facts.has("industry") or facts.has("size"))


def _people(facts: Facts, pointed_at: Sequence[str]) -> str:
    """Tell whether users are colleagues or customers: by their roles, and by who points at them."""
    roles = [v for c in facts.of_sort(ENUM) if meaning(c.name) & {"list", "type"} for v in c.choices]
    outside = {"customer", "person", "requester"}
    if any(outside & meaning(value) or "end" in value.lower() for value in roles):
        return "contact"
    said = [meaning(name.partition("@")[0]) for name in pointed_at]
    if any(outside & meant for meant in said):
        return "contact"
    if any("owner" in meant for meant in said) or facts.has("list", "id") or facts.has("owner"):
        return "staff"
    return "contact" if facts.has("created", sorts=(TIME,)) and facts.of_sort(EMAIL) else "staff"


def _by_columns(facts: Facts) -> dict[str, float]:
    """Score what the rows may be by the columns alone, from 0 to 1."""
    money = (WHOLE, NUMBER)
    amount = facts.has("amount", sorts=money)
    status = facts.has("status") or facts.has("stage")
    email = bool(facts.of_sort(EMAIL)) or facts.has("email")
    person = facts.has("first") or facts.has("last", sorts=("text", "opaque id", "one of few"))
    when = bool(facts.of_sort(TIME))
    tests: dict[str, Callable[[], float]] = {
        "spend": lambda: 0.95 * (facts.has("cost", sorts=money) and (
            facts.has("clicks", sorts=money) or facts.has("impressions", sorts=money) or facts.has("campaign")
        ) and when),
        "message": lambda: 0.85 * bool(_message_column(facts.file)) + 0.1 * email,
        "deal": lambda: 0.45 * (facts.says("won", "status", "stage") or facts.has("won", sorts=(YES_NO,)))
        + 0.4 * facts.own_id("deal") + 0.2 * (facts.has("closed", sorts=(TIME,)) and amount)
        + 0.1 * (amount and status) + 0.1 * facts.has("probability"),
        "ticket": lambda: 0.4 * facts.own_id("ticket") + 0.25 * facts.has("subject") + 0.2 * facts.has("priority")
        + 0.2 * (facts.has("resolved") or facts.says("resolved", "status")) + 0.15 * facts.has("requester"),
        "refund": lambda: 0.6 * facts.own_id("refund")
        + 0.3 * (amount and facts.has("payment") and facts.has("reason")),
        "subscription": lambda: 0.45 * facts.own_id("subscription") + 0.3 * (
            facts.has("start", sorts=(TIME,)) and (facts.has("end", sorts=(TIME,)) or facts.has("cancelled"))
        ) + 0.2 * facts.has("recurring") + 0.1 * facts.has("product"),
        "invoice": lambda: 0.55 * facts.own_id("invoice") + 0.25 * facts.has("due", sorts=(TIME,)) + 0.1 * amount,
        "order": lambda: 0.55 * facts.own_id("order") + 0.25 * (amount and when) + 0.1 * facts.has("quantity"),
        "payment": lambda: 0.4 * facts.own_id("payment") + 0.3 * (amount and facts.says("paid", "status"))
        + 0.2 * (bool(facts.of_sort(CURRENCY)) and amount and when),
        "contact": lambda: 0.5 * (email and not amount) + 0.35 * person + 0.1 * facts.has("phone")
        + 0.1 * facts.has("person"),
        "lead": lambda: 0.5 * facts.own_id("lead") + 0.2 * facts.has("converted") + 0.15 * email,
        "company": lambda: 0.35 * (facts.has("company") and not person) + 0.3 * facts.has("domain")
        + 0.25 * facts.has("industry") + 0.2 * facts.has("size") - 0.3 * person,
        "survey": lambda: 0.6 * bool(_score_column(facts.file)) + 0.2 * facts.has("text") + 0.2 * facts.has("survey"),
        "web": lambda: 0.4 * facts.has("event", "name") + 0.35 * facts.has("session") + 0.3 * facts.has("page")
        + 0.3 * facts.has("anonymous") + 0.25 * facts.has("url"),
        "history": lambda: 0.45 * facts.has("new") + 0.35 * facts.has("old") + 0.3 * facts.has("field", "name"),
        "form": lambda: 0.3 * facts.has("form", "id") + 0.3 * (facts.has("page") and email),
        "meeting": lambda: 0.5 * facts.own_id("meeting") + 0.3 * (facts.has("start") and facts.has("end")),
        "list": lambda: 0.45 * (not when and facts.file.rows <= 1000 and len(facts.filled) <= 6),  # noqa: PLR2004 - a small list
    }  # fmt: skip
    return {entity: min(1.0, float(test())) for entity, test in tests.items() if test() > 0}


def message_kinds(values: Sequence[str]) -> dict[str, str]:
    """Give the kinds that a column's values say: what became of a message."""
    found = {}
    for value in values:
        words = set(words_of(value)) | {value.strip().lower()}
        for kind, said in MESSAGES.items():
            if words & set(said.split()):
                found[value] = kind
                break
    return found


def _message_column(file: FileProfile) -> ColumnProfile | None:
    return next((c for c in file.columns if c.choices and len(set(message_kinds(c.choices).values())) > 1), None)


def web_kind(value: str) -> str | None:
    """Give the kind that the name of an event on a site says, if it says one."""
    words = value.strip().lower().replace(" ", "_").replace("-", "_")
    return next((kind for kind, names in EVENTS.items() if words in names.split()), None)


def is_filtered(column: ColumnProfile) -> bool:
    """Tell whether a column says that machines did it: such opens and clicks count for nothing."""
    return column.sort.name == YES_NO and bool({"filtered", "bot", "machine"} & set(words_of(column.name)))


def _score_column(file: FileProfile) -> ColumnProfile | None:
    """Give the column of points or stars."""
    for column in file.columns:
        if "score" in meaning(column.name) and column.sort.name in (WHOLE, NUMBER, YES_NO, ENUM):
            least, most = column.low, column.high
            if least is not None and most is not None and least >= 0 and most <= 10:  # noqa: PLR2004 - as NPS asks
                return column
    return None
