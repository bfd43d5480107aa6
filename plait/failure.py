"""What goes wrong in a way that users can mend; each failure has a class of its own beside the code that raises it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self


class Misused(Exception):
    """A question or command that cannot be understood: a name, an option, a value."""


class Unfit(Exception):
    """A question or command that was understood, and data, files or a home that will not do."""


class Said(str):
    """A sentence in English that people read; its parts are kept, so that it can be said in any language.

    `says` is the sentence with a hole for each of `values`. A value that is `Said` too is translated in its turn, any
    other is a name or a number and stays as it is. `docs/translate.py` finds the sentences in the code by this name.
    """

    __slots__ = ("says", "values")
    says: str
    values: Mapping[str, object]

    def __new__(cls, says: str, /, **values: object) -> Self:
        """Say `says` with its holes filled in."""
        said = super().__new__(cls, says.format(**values))
        said.says, said.values = says, values
        return said

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, object]]:
        """Give what a copy is made from."""
        return (self.says,), dict(self.values)

    def told(self) -> dict[str, object]:
        """Give it as JSON keeps it."""
        values = {name: value.told() if isinstance(value, Said) else value for name, value in self.values.items()}
        return {"says": self.says, "values": values}

    @classmethod
    def of(cls, told: Mapping[str, object]) -> Self:
        """Give what `told` has told."""
        values = told["values"]
        assert isinstance(values, dict)  # noqa: S101 - as `told` has written it
        return cls(
            str(told["says"]),
            **{name: cls.of(value) if isinstance(value, dict) else value for name, value in values.items()},
        )
