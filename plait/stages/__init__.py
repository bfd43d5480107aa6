"""Stage rules: a firm's own answer to where an account stands in the cycle, as data with versions.

`rule` says what rules consist of, `reading` makes them of TOML, `judging` finds what is wrong with them, `versions`
keeps them in a home.
"""

from plait.stages.reading import BadRules, Problem, read_rules, shipped
from plait.stages.rule import Alternative, Owner, RuleSet, Signal, Stage
from plait.stages.versions import Version, keep_version, read_versions

__all__ = [
    "Alternative", "BadRules", "Owner", "Problem", "RuleSet", "Signal", "Stage", "Version", "keep_version",
    "read_rules", "read_versions", "shipped",
]  # fmt: skip
