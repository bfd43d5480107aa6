"""What truly works in the demo company: channels, partners, and the parameters every model is scored against."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Channel:
    """A way to be found.

    `effect` is the hazard it adds to winning an account that met it, `reach` the log-odds that an account of average
    intent meets it, `selection` what one standard deviation of intent adds to these log-odds: above 0 the channel meets
    those who come anyway. `starts` is the share of accounts that begin with it,
    `starts_later` the same after the planted shift.
    """

    name: str
    effect: float
    reach: float
    selection: float
    starts: float
    starts_later: float
    source: str = ""
    medium: str = ""


CHANNELS = (
    Channel("organic_search", 0.035, -0.4, 0.0, 0.26, 0.24, "seeker", "organic"),
    Channel("paid_search", 0.045, -1.0, 0.0, 0.24, 0.12, "seeker", "cpc"),
    Channel("branded_search", 0.000, -1.6, 1.4, 0.02, 0.02, "seeker", "cpc-brand"),
    Channel("social", 0.010, -0.9, 0.0, 0.12, 0.14, "circle", "paid_social"),
    Channel("retargeting", 0.003, -1.2, 1.2, 0.00, 0.00, "adnet", "display"),
    Channel("email", 0.060, -0.6, 0.3, 0.10, 0.10, "newsletter", "email"),
    Channel("event", 0.130, -1.8, 0.0, 0.07, 0.07),
    Channel("referral", 0.170, -2.6, 0.0, 0.05, 0.07, "reference", "referral"),
    Channel("partner", 0.100, -2.2, 0.0, 0.06, 0.16, "partner", "partner"),
    Channel("direct", 0.000, -0.9, 0.8, 0.08, 0.08),
)
CHANNEL_NAMES = tuple(channel.name for channel in CHANNELS)
(
    ORGANIC_SEARCH,
    PAID_SEARCH,
    BRANDED_SEARCH,
    SOCIAL,
    RETARGETING,
    EMAIL,
    EVENT,
    REFERRAL,
    PARTNER,
    DIRECT,
) = range(len(CHANNELS))
AFFILIATE = len(CHANNELS)  # the coupon site's channel: met only when the decision has been taken, so it adds nothing
ALL_CHANNEL_NAMES = (*CHANNEL_NAMES, "affiliate")


@dataclass(frozen=True, slots=True)
class Partner:
    """A partner; `strength` multiplies the effect of the channel `partner`, `share` is its part of the accounts."""

    code: str
    name: str
    kind: str
    strength: float
    share: float
    rate: float
    falls: bool = False


PARTNERS = (
    Partner("P-01", "Nordlicht Integration", "integration", 1.5, 0.35, 0.12),
    Partner("P-02", "Hanseul Systems", "reseller", 1.2, 0.25, 0.15),
    Partner("P-03", "Blue Ferry Advisors", "agency", 0.8, 0.25, 0.10),
    Partner("P-04", "Signal & Sieve Review", "media", 0.3, 0.15, 0.05, falls=True),
)
COUPON_SITE = Partner("P-09", "Sparfuchs Gutscheine", "affiliate", 0.0, 1.0, 0.05)
ALL_PARTNERS = (*PARTNERS, COUPON_SITE)


@dataclass(frozen=True, slots=True)
class Buying:
    """How accounts become customers.

    P(an account is ever won) = 1 - exp(-(base * exp(pull * intent) + the effects of the channels it met)).
    The rates are those of attempts; `qualified` is the share of accounts, among those not to be won, that reach an MQL.
    """

    base: float = 0.07
    pull: float = 0.7
    seen: float = 0.6  # share of the variance of intent that the grade in the CRM shows
    qualified: float = 0.58
    attempts: float = 2.0  # an account makes 1 + Poisson(attempts) attempts, five at most
    accepted: float = 0.57  # MQL to SAL
    taken_up: float = 0.57  # SAL to SQL
    opened: float = 0.93  # SQL to deal
    won: float = 0.29  # deal to won
    recycled: float = 0.75  # of leads that sales gives up, the share that goes back to marketing; the rest is closed
    cycle: float = 50.0  # median days from deal opened to won
    lost_cycle: float = 58.0
    poached: float = 0.35  # of deals about to be won, the share that looks for a coupon first
    poached_lost: float = 0.05


@dataclass(frozen=True, slots=True)
class Staying:
    """How customers stay, grow and leave, by month (a twelfth of 365.25 days)."""

    churn: float = 0.0075
    failure_multiplier: float = 4.0  # on the hazard of leaving, in the three months after a month with a failure
    failure_months: int = 3
    spared_months: int = 2  # nobody leaves in the first months
    expansion: float = 0.036
    expansion_by_deal: float = 0.35
    contraction: float = 0.005
    came_back: float = 0.35
    tickets: float = 0.7  # a month, for a company of 100; grows with the cube root of employees
    critical: float = 0.10
    slow: float = 0.35  # of critical tickets, the share solved after more than five days: a failure
    incident_share: float = 0.2  # of customers that an incident hits
    incidents: int = 18


@dataclass(frozen=True, slots=True)
class Ordering:
    """Orders beside the subscription: BG/NBD in weeks (Fader, Hardie & Lee 2005) and Gamma-Gamma in EUR (2013)."""

    r: float = 0.8
    alpha: float = 8.0
    a: float = 0.7
    b: float = 4.0
    p: float = 6.0
    q: float = 4.0
    gamma: float = 900.0


BUYING, STAYING, ORDERING = Buying(), Staying(), Ordering()
SHIFT_BEFORE_END = 120  # days before the end from which accounts begin by the other mix
PARTNER_FALL_BEFORE_END = 200
PARTNER_FALL = 0.7  # share of its clicks that the falling partner loses

PRODUCTS = (
    "Onboarding", "Data Connector", "API Pack", "Training", "Workshop", "Audit", "Priority Support", "Dashboard Kit",
)  # fmt: skip
POPULARITY = (0.05, 0.22, 0.08, 0.20, 0.08, 0.15, 0.08, 0.14)
AFFINITIES = {"Data Connector": ("API Pack", 0.60), "Training": ("Workshop", 0.50), "Audit": ("Priority Support", 0.55)}


def parameters() -> dict[str, object]:
    """Give every planted parameter, as the truth file tells it."""
    return {
        "channels": [asdict(channel) for channel in CHANNELS],
        "partners": [asdict(partner) for partner in ALL_PARTNERS],
        "buying": asdict(BUYING),
        "staying": asdict(STAYING),
        "ordering": asdict(ORDERING),
        "affinities": [
            {"product": first, "next": following, "share": share} for first, (following, share) in AFFINITIES.items()
        ],
        "popularity": dict(zip(PRODUCTS, POPULARITY, strict=True)),
        "shift_before_end_days": SHIFT_BEFORE_END,
        "partner_fall": {"partner": "P-04", "before_end_days": PARTNER_FALL_BEFORE_END, "share_lost": PARTNER_FALL},
    }
