"""What customers say, as the figures with which boards begin."""

from plait.web.blocks import Figure, Question

ANSWERS = Question("satisfaction", {"by": "all"})
NPS = Figure(ANSWERS, "score", "up", title="Net promoter score", where={"survey": "nps"})
CSAT = Figure(ANSWERS, "satisfied", "up", title="Satisfied with a contact (CSAT)", where={"survey": "csat"})
REVIEWS = Figure(ANSWERS, "mean", "up", title="Public reviews", where={"survey": "review"})
