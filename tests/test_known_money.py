"""Sample exports of CRM, payments, shop, web and ads: every row accounted for, every sum reckoned a second time.

The sums beside are made by plain Python from the raw files: nothing of plait reads them.
"""

from __future__ import annotations

import csv
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import duckdb
import pytest

from plait import desk
from plait.settings import Settings
from plait.store import FACTS, Store, view_sql

SAMPLES = Path(__file__).parents[2] / "shared" / "data" / "export_samples"
SYSTEMS = ("ad_reporting", "facebook_ads", "ga4", "google_ads", "salesforce", "shopify", "stripe")
NOW = datetime(2026, 3, 2, tzinfo=UTC)
CENT, MICRO, KEPT = Decimal("0.01"), Decimal("0.000001"), Decimal("0.0001")
Row = dict[str, str]
Key = tuple[str, str, str]
Money = Iterator[tuple[Key, Decimal]]

REFUSED = {
    # An account without the day on which it was entered: the sample leaves the column out.
    ("salesforce/sf_account_data.csv", "occurred_at", "missing occurred_at"): 1,
    # Items of subscriptions that are not among the subscriptions of the sample: nobody is known to pay them.
    ("stripe/subscription_item_data.csv", "keys.account.stripe", "not found in subscription"): 12,
}

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(not SAMPLES.is_dir(), reason="no sample exports are here"),
]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, desk.LoadReport]:
    """Load all samples at once into the home of a firm that reckons in EUR."""
    place = tmp_path_factory.mktemp("samples")
    for system in SYSTEMS:
        shutil.copytree(SAMPLES / system, place / "exports" / system)
    desk.set_up(place / "home", Settings("Europe/Berlin", "EUR"))
    return place / "home", desk.load(place / "home", place / "exports", None, now=NOW)


def test_every_file_is_read_and_every_row_is_accepted_or_refused(loaded: tuple[Path, desk.LoadReport]) -> None:
    _, report = loaded
    files = {f"{system}/{path.name}" for system in SYSTEMS for path in (SAMPLES / system).glob("*.csv")}
    assert ({file.file for file in report.files}, report.not_read) == (files, [])
    counted = {file.file: (file.rows, file.accepted + file.refused) for file in report.files}
    assert counted == {name: (len(list(rows(name))),) * 2 for name in files}


def test_each_refusal_is_explained(loaded: tuple[Path, desk.LoadReport]) -> None:
    home, _ = loaded
    page = desk.refused_rows(home, {}).rows
    for row in page:
        print(f"{row.file}:{row.line} {row.field} {row.value!r}: {row.rule}; {row.next_step}")  # noqa: T201
    assert Counter((row.file, row.field, row.rule.partition(" (and ")[0]) for row in page) == REFUSED


def test_all_money_is_what_the_raw_files_add_up_to(loaded: tuple[Path, desk.LoadReport]) -> None:
    home, _ = loaded
    with duckdb.connect() as db:
        db.execute(view_sql("facts", Store.open(home).snapshot(), FACTS))
        found = db.execute(
            "select source, kind, currency, sum(amount) from facts where amount is not null group by all"
        ).fetchall()
    expected: defaultdict[Key, Decimal] = defaultdict(Decimal)
    for tell in (ads, google, web, shop, crm, paid, issued, contracts):
        for key, amount in tell():
            expected[key] += amount.quantize(KEPT, ROUND_HALF_UP)
    assert {(source, kind, currency): amount for source, kind, currency, amount in found} == dict(expected)
    assert sum(amount > 0 for amount in expected.values()) >= 8


def rows(name: str) -> Iterator[Row]:
    with (SAMPLES / name).open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            if any(row.values()):
                yield row


def ads() -> Money:
    """Tell spend whose exports name no currency: it is in that of the home."""
    names = {"facebook_ads": "facebook_ads_basic_ad_data.csv", "ad_reporting": "ad_report_schema.csv"}
    for source, name in names.items():
        for row in rows(f"{source}/{name}"):
            yield (source, "spend.paid", "EUR"), Decimal(row["spend"])


def google() -> Money:
    """Tell campaigns in millionths, in the currency of their account."""
    currency = {row["id"]: row["currency_code"] for row in rows("google_ads/account_history_data.csv")}
    for row in rows("google_ads/campaign_stats_data.csv"):
        yield ("google_ads", "spend.paid", currency[row["customer_id"]]), Decimal(row["cost_micros"]) * MICRO


def web() -> Money:
    for row in rows("ga4/event_data.csv"):
        if row["name"] == "purchase":
            yield ("ga4", "order.placed", "USD"), Decimal(row["ecommerce_purchase_revenue_in_usd"])


def shop() -> Money:
    for row in rows("shopify/shopify_orders_schema.csv"):
        if not row["cancelled_timestamp"]:
            net = Decimal(row["total_price"]) - Decimal(row["total_tax"])
            yield ("shopify", "order.placed", row["currency"]), net


def crm() -> Money:
    """Tell activated orders; all opportunities of the sample are deleted."""
    assert {row["is_deleted"] for row in rows("salesforce/sf_opportunity_data.csv")} == {"true"}
    for row in rows("salesforce/sf_order_data.csv"):
        if row["status"] == "Activated":
            yield ("salesforce", "order.placed", "EUR"), Decimal(row["total_amount"])


def paid() -> Money:
    """Tell charges, refunds and lost disputes in cents; every charge of the sample was declined."""
    told = {"charge": ("payment.received", "succeeded"), "refund": ("payment.refunded", "succeeded"),
            "dispute": ("payment.refunded", "lost")}  # fmt: skip
    for table, (kind, status) in told.items():
        for row in rows(f"stripe/{table}_data.csv"):
            if row["status"] == status:
                yield ("stripe", kind, row["currency"].upper()), Decimal(row["amount"]) * CENT


def issued() -> Money:
    for row in rows("stripe/invoice_data.csv"):
        if row["livemode"] == "TRUE" and row["status"] == "paid":
            net = Decimal(row["total"]) - Decimal(row["tax"] or 0)
            yield ("stripe", "invoice.issued", row["currency"].upper()), net * CENT


def contracts() -> Money:
    """Tell what each item of a known subscription pays a month; all plans of the sample are by the month."""
    plans = {row["id"]: row for row in rows("stripe/plan_data.csv")}
    known = {row["id"] for row in rows("stripe/subscription_data.csv")}
    for row in rows("stripe/subscription_item_data.csv"):
        if row["subscription_id"] in known:
            plan = plans[row["plan_id"]]
            assert plan["interval"] == "month"
            monthly = Decimal(plan["amount"]) * Decimal(row["quantity"]) * CENT / Decimal(plan["interval_count"])
            yield ("stripe", "subscription.started", plan["currency"].upper()), monthly
