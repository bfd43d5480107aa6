"""Hand-offs: an account passes from one department to another, with an answer owed on both sides.

`policy` says what a firm has agreed, `reading` makes it of TOML, `versions` keeps it in a home; `state` is the hand-off
itself and what may be done with it, `routing` finds who gets it.
"""
