"""Suppression: the persons who were erased, kept as keyed hashes only, so that no later load brings them back.

The hash is HMAC-SHA256 over a key's value, trimmed, NFKC, in lower case; its secret lies in the home, for its owner to
read. What is new is judged as what was stored is erased: a fact that only concerns such a person is refused without
what it says, any other is stored without the person.
"""

from plait.suppression.judging import blank, digest_sql, erased_id_sql, kept_text_sql, set_secret, spare
from plait.suppression.kinds import OF_AN_ACCOUNT, ONLY_OF_A_PERSON
from plait.suppression.listed import (
    BLANK,
    ERASED_ID,
    FACT,
    FOLDER,
    MARK,
    PERSON_RULE,
    PERSON_STEP,
    SHORTEST,
    LostKey,
    Suppression,
    allow,
    digest,
    erased_id,
    fact_value,
    normalised,
    read,
    secret_of,
    suppress,
)

__all__ = [
    "BLANK",
    "ERASED_ID",
    "FACT",
    "FOLDER",
    "MARK",
    "OF_AN_ACCOUNT",
    "ONLY_OF_A_PERSON",
    "PERSON_RULE",
    "PERSON_STEP",
    "SHORTEST",
    "LostKey",
    "Suppression",
    "allow",
    "blank",
    "digest",
    "digest_sql",
    "erased_id",
    "erased_id_sql",
    "fact_value",
    "kept_text_sql",
    "normalised",
    "read",
    "secret_of",
    "set_secret",
    "spare",
    "suppress",
]
