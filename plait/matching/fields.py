"""What the columns of a list of people or companies are: recognised by their names, as firms usually call them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from plait.failure import Misused, Said

PERSON, COMPANY = "person", "account"
SORTS = ("given", "family", "name", "company", "email", "domain", "phone", "born", "number", "street", "house",
         "postcode", "city", "region")  # fmt: skip
NAMED: Mapping[str, str] = {  # each sort by the names that its column has, without signs and blanks
    "given": "first name|firstname|given name|givenname|forename|vorname|prenom|fname|first|이름|properties firstname",
    "family": "last name|lastname|surname|family name|familyname|nachname|nom|nom de famille|lname|last|성",
    "name": "name|full name|fullname|display name|contact|contact name|site name|title|kunde|nom complet|성명",
    "company": "company|company name|organisation|organization|organisation name|organization name|account|"
    "account name|firm|firma|firmenname|employer|entreprise|societe|raison sociale|unternehmen|회사|회사명",
    "email": "email|e mail|mail|email address|e mail address|courriel|이메일",
    "domain": "domain|website|web|url|homepage|web site|company domain|site web|webseite",
    "phone": "phone|telephone|phone number|mobile|mobile phone|tel|telefon|cell|telefonnummer|전화|전화번호",
    "born": "dob|date of birth|birth date|birthdate|birthday|geburtsdatum|born|date de naissance|생년월일",
    "number": "soc sec id|ssn|social security number|national id|tax id|vat|vat id|vat number|ust id|siret|siren|"
    "register number|registration number|duns|lei|nhs number|사업자등록번호",
    "street": "street|address|address 1|address1|street address|address line 1|strasse|adresse|rue|billing street|주소",
    "house": "street number|house number|house no|hausnummer|numero|housenumber|number in street",
    "postcode": "postcode|post code|postal code|postalcode|zip|zip code|zipcode|plz|postleitzahl|code postal|우편번호",
    "city": "city|town|suburb|place|ort|stadt|ville|locality|billing city|도시",
    "region": "state|region|county|province|canton|bundesland|land",
}


class UnknownColumns(Misused, ValueError):
    """A list in which no column can be compared, or a named column that it does not have."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Which column of a list is what; `scope` tells whether its rows are people or companies."""

    scope: str
    columns: Mapping[str, str]

    def has(self, *sorts: str) -> bool:
        """Tell whether all of these are there."""
        return all(sort in self.columns for sort in sorts)


def recognise(columns: Iterable[str], *, scope: str | None = None, told: Mapping[str, str] | None = None) -> Layout:
    """Tell which column is what; `told` (sort to column) goes before what the names say."""
    known = list(columns)
    given = dict(told or {})
    for sort, column in given.items():
        if sort not in SORTS:
            raise UnknownColumns(
                Said("no sort of field {sort!r}; allowed: {sorts}.", sort=sort, sorts=", ".join(SORTS))
            )
        if column not in known:
            says = "there is no column {column!r}; the file has {columns}."
            raise UnknownColumns(Said(says, column=column, columns=", ".join(known)))
    named = {sort: _first(known, names) for sort, names in NAMED.items()}
    layout = {sort: column for sort, column in named.items() if column} | given
    people = {"given", "family", "born"} & set(layout)
    scope = scope or (PERSON if people or ("email" in layout and "company" not in layout) else COMPANY)
    if scope == COMPANY and "name" not in layout and "company" in layout:
        layout["name"] = layout.pop("company")
    if scope == COMPANY:
        layout = {sort: column for sort, column in layout.items() if sort not in ("given", "family", "born", "company")}
    if not {"name", "family", "email", "phone"} & set(layout):
        says = (
            "no column says a name, an e-mail address or a phone; say which does, such as --column name=COLUMN. "
            "Columns: {columns}."
        )
        raise UnknownColumns(Said(says, columns=", ".join(known)))
    return Layout(scope, layout)


def folded(name: str) -> str:
    """Give a column's name as it is compared: small letters, blanks between words."""
    words = re.sub(r"([a-z])([A-Z])", r"\1 \2", name)
    return re.sub(r"[^\w]+|_+", " ", words).strip().lower()


def _first(columns: list[str], names: str) -> str | None:
    by_name = {folded(column): column for column in reversed(columns)}
    return next((by_name[name] for name in names.split("|") if name in by_name), None)
