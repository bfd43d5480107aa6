"""Who is probably the same though no key says so: people and companies whose names, addresses and numbers are alike.

Deterministic identity comes first; matching only proposes. What it proposes is decided by people, or by the firm's own
threshold where it has switched that on, and every such decision can be undone.
"""
