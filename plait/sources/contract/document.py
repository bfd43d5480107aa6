"""Documents: YAML as plain values, with nothing lost and nothing that its text does not show.

Numbers keep their digits, days stay text, a key that stands twice is refused, and so are anchors, which write one
place in terms of another.
"""

from __future__ import annotations

from collections.abc import Hashable
from decimal import Decimal

import yaml

from plait.failure import Said

LARGEST = 500_000  # letters
DEEPEST = 40


class BadDocument(Exception):
    """A text that is no YAML that plait reads; it says why."""


def read_document(text: str) -> object:
    """Give the values of a YAML document: mappings, lists, texts, numbers, true and false, nothing."""
    if len(text) > LARGEST:
        raise BadDocument(Said("has more than {most:,} letters: cut it into several contracts", most=LARGEST))
    try:
        return yaml.load(text, _Loader)  # noqa: S506 - a safe loader with less
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise BadDocument(Said("is no YAML: line {line}: {problem}", line=line, problem=str(error.problem))) from error
    except yaml.YAMLError as error:
        raise BadDocument(Said("is no YAML: {problem}", problem=" ".join(str(error).split()))) from error


class _Loader(yaml.SafeLoader):
    """Reads plain values only."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Read a node; aliases and what is nested without end are refused."""
        if self.check_event(yaml.AliasEvent):
            self.refuse("an alias (*name): write the value out")
        self.depth += 1
        if self.depth > DEEPEST:
            self.refuse("values are nested too deep")
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def refuse(self, problem: str) -> None:
        """Refuse what comes next."""
        mark = self.peek_event().start_mark  # type: ignore[no-untyped-call] # their stubs
        raise yaml.MarkedYAMLError(problem=problem, problem_mark=mark)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, object]:  # noqa: FBT001, FBT002 - theirs
        """Read a mapping; a key that stands twice is refused."""
        seen: set[str] = set()
        for key, _value in node.value:
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"the key {key.value!r} stands twice", problem_mark=key.start_mark)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep=deep)


def _decimal(loader: _Loader, node: yaml.ScalarNode) -> object:
    text = str(loader.construct_scalar(node))
    try:
        number = Decimal(text)
    except ArithmeticError:
        return text  # 1_000.5, .inf, 1:30.5: no numbers here
    return number if number.is_finite() else text


def _whole(loader: _Loader, node: yaml.ScalarNode) -> object:
    text = str(loader.construct_scalar(node))
    digits = text.lstrip("+-")
    return int(text) if digits.isdigit() and (digits == "0" or digits[0] != "0") else text  # 010 is a code, not 8


_Loader.yaml_implicit_resolvers = {
    letter: [(tag, shape) for tag, shape in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_constructor("tag:yaml.org,2002:float", _decimal)
_Loader.add_constructor("tag:yaml.org,2002:int", _whole)
