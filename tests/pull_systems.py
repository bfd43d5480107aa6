"""The four described systems as small servers: their paging, filters and tokens, records made up for the tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from pull_server import Asked, Status

Json = Any
DAY = datetime(2026, 3, 1, 8, tzinfo=UTC)


def iso(day: int, millisecond: int = 0) -> str:
    return (DAY + timedelta(days=day, milliseconds=millisecond)).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def epoch(day: int) -> int:
    return int((DAY + timedelta(days=day)).timestamp())


class HubSpot:
    """Objects in pages of two; search by growing id; associations and histories in batches."""

    def __init__(self) -> None:
        self.objects: dict[str, list[Json]] = {
            "contacts": [self.made(n, email=f"p{n}@acme.example", lastmodifieddate=iso(n)) for n in range(1, 6)],
            "companies": [self.made(n, name=f"Company {n}", domain=f"c{n}.example", hs_lastmodifieddate=iso(n))
                          for n in (11, 12, 13)],
            "deals": [self.made(n, dealname=f"Deal {n}", amount="12000.50", pipeline="default", dealstage="won",
                                hs_lastmodifieddate=iso(n)) for n in (21, 22, 23)],
            "tickets": [],
        }  # fmt: skip

    def made(self, number: int, **properties: str) -> Json:
        return {"id": str(number), "properties": {"createdate": iso(0), **properties}, "createdAt": iso(0),
                "updatedAt": iso(number), "archived": False}  # fmt: skip

    def __call__(self, asked: Asked) -> Json:
        if asked.headers.get("Authorization") != "Bearer pat-secret":
            raise Status(401, {"category": "INVALID_AUTHENTICATION", "message": "Authentication credentials not found"})
        parts = asked.path.strip("/").split("/")
        if parts[:3] == ["crm", "v3", "owners"]:
            mara = {"id": "7", "email": "mara@own.example", "firstName": "Mara", "lastName": "M", "userId": 70}
            return {"results": [{**mara, "createdAt": iso(0), "updatedAt": iso(0), "archived": False}]}
        if parts[2] == "pipelines":
            stages = [{"id": "won", "label": "Won", "displayOrder": 1, "archived": False, "createdAt": iso(0),
                       "updatedAt": iso(0), "metadata": {"isClosed": "true", "probability": "1.0"}}]  # fmt: skip
            return {"results": [{"id": "default", "label": "Sales", "displayOrder": 0, "archived": False,
                                 "createdAt": iso(0), "updatedAt": iso(0), "stages": stages}]}  # fmt: skip
        if parts[2] == "associations":
            return self.associated(asked, parts[4])
        if parts[-1] == "search":
            return self.search(asked, self.objects[parts[3]])
        if parts[-2:] == ["batch", "read"]:
            assert len(asked.body["inputs"]) <= 50
            history = [{"value": "won", "timestamp": iso(2), "sourceType": "CRM_UI", "sourceId": "userId:70"},
                       {"value": "new", "timestamp": iso(1), "sourceType": "CRM_UI"}]  # fmt: skip
            return {
                "results": [{**one, "propertiesWithHistory": {"dealstage": history}} for one in asked.body["inputs"]]
            }
        every, start = self.objects[parts[3]], int(asked.one("after", "0"))
        assert "email" in asked.query["properties"] or parts[3] != "contacts"
        page = {"results": every[start : start + 2]}
        return page if start + 2 >= len(every) else {**page, "paging": {"next": {"after": str(start + 2), "link": "x"}}}

    def search(self, asked: Asked, every: list[Json]) -> Json:
        """Only search: at most `limit`, sorted by id, after an id, changed since."""
        since, after = (one for one in asked.body["filterGroups"][0]["filters"])
        changed = datetime.fromtimestamp(int(since["value"]) / 1000, UTC)
        found = [
            one for one in every
            if datetime.fromisoformat(one["properties"][since["propertyName"]]) >= changed
            and int(one["id"]) > int(after["value"])
        ]  # fmt: skip
        return {"total": len(found), "results": sorted(found, key=lambda one: int(one["id"]))[: asked.body["limit"]]}

    def associated(self, asked: Asked, to: str) -> Json:
        kind = {"typeId": 5, "category": "HUBSPOT_DEFINED", "label": None}
        told = [{"from": {"id": one["id"]}, "to": [{"toObjectId": int(one["id"]) - 10, "associationTypes": [kind]}]}
                for one in asked.body["inputs"] if one["id"] != "23"]  # fmt: skip
        missing = {"status": "error", "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND", "message": "none for 23"}
        return {"status": "COMPLETE", "results": told if to == "companies" else [], "numErrors": 1, "errors": [missing]}


class Stripe:
    """Lists, newest first, in pages of two with `starting_after`; events for what was changed later; `expand[]`."""

    def __init__(self) -> None:
        paid = {"object": "charge", "currency": "eur", "status": "succeeded", "paid": True, "captured": True,
                "amount_refunded": 0, "livemode": True, "invoice": None, "metadata": {}}  # fmt: skip
        of_1 = {"created": epoch(1), "customer": "cus_1", "livemode": True, "metadata": {}}
        self.lists: dict[str, list[Json]] = {
            "customers": [{"id": f"cus_{n}", "object": "customer", "created": epoch(n), "email": f"p{n}@acme.example",
                           "delinquent": False, "invoice_prefix": f"A{n}", "livemode": True, "tax_exempt": "none",
                           "name": f"Acme {n}", "address": {"line1": "1 Road", "city": "Lyon"},
                           "metadata": {"tier": "a"}} for n in range(1, 6)],
            "charges": [{**paid, "id": f"ch_{n}", "created": epoch(n), "amount": 1999, "customer": f"cus_{n}"}
                        for n in (1, 2, 3)],
            "refunds": [{"id": "re_1", "object": "refund", "created": epoch(3), "amount": 500, "currency": "eur",
                         "charge": "ch_1", "status": "succeeded", "reason": None, "receipt_number": None,
                         "metadata": {}}],
            "subscriptions": [{**of_1, "id": "sub_1", "object": "subscription", "status": "active", "ended_at": None,
                               "billing_cycle_anchor": epoch(1), "cancel_at_period_end": False, "canceled_at": None,
                               "current_period_start": epoch(1), "current_period_end": epoch(30), "trial_end": None,
                               "items": {"data": [self.item(1)], "has_more": True}}],
            "invoices": [{**of_1, "id": "in_1", "object": "invoice", "currency": "eur", "total": 4000, "subtotal": 4000,
                          "tax": None, "amount_due": 4000, "amount_paid": 4000, "amount_remaining": 0, "status": "paid",
                          "status_transitions": {"paid_at": epoch(2), "finalized_at": epoch(2)},
                          "lines": {"data": [self.line(1)], "has_more": True}}],
            "products": [{"id": "prod_1", "active": True, "name": "Seats", "created": epoch(0), "metadata": {}}],
            "disputes": [], "events": [],
        }  # fmt: skip

    def item(self, number: int) -> Json:
        plan = {"id": "plan_a", "amount": 2000, "currency": "eur", "interval": "month", "product": "prod_1",
                "interval_count": 1, "billing_scheme": "per_unit", "usage_type": "licensed"}  # fmt: skip
        every = {"interval": "month", "interval_count": 1, "usage_type": "licensed"}
        price = {"id": "price_a", "unit_amount": 2000, "unit_amount_decimal": "2000", "currency": "eur",
                 "billing_scheme": "per_unit", "product": "prod_1", "recurring": every}  # fmt: skip
        return {"id": f"si_{number}", "created": epoch(1), "quantity": 2, "plan": plan, "price": price,
                "subscription": "sub_1", "metadata": {}}  # fmt: skip

    def line(self, number: int) -> Json:
        return {"id": f"il_{number}", "amount": 2000, "currency": "eur", "metadata": {},
                "period": {"start": epoch(1), "end": epoch(30)}}  # fmt: skip

    def __call__(self, asked: Asked) -> Json:
        if asked.headers.get("Authorization") != "Bearer sk_secret":
            raise Status(401, {"error": {"message": "Invalid API Key provided: sk_***"}})
        assert asked.headers["Stripe-Version"] == "2024-06-20"
        if asked.path.endswith("/lines"):
            return self.page([self.line(1), self.line(2), self.line(3)], asked)
        if asked.path == "/v1/subscription_items":
            return self.page([self.item(1), self.item(2)], asked)
        every = self.lists[asked.path.split("/")[2]]
        if since := asked.one("created[gte]"):
            every = [one for one in every if one["created"] >= int(since)]
        if types := asked.query.get("types[]"):
            every = [one for one in every if one["type"] in types]
        expand = asked.query.get("expand[]", [])
        every = [self.expanded(one, expand) for one in sorted(every, key=lambda one: -one["created"])]
        return self.page(every, asked)

    def expanded(self, one: Json, expand: list[str]) -> Json:
        """Put the customer, or the charge with its customer, in the place of its id."""
        for name, known in (("charge", "charges"), ("customer", "customers")):
            if f"data.{name}" in expand:
                inner = next(other for other in self.lists[known] if other["id"] == one[name])
                deeper = [path.replace(f"data.{name}.", "data.") for path in expand if path.startswith(f"data.{name}.")]
                one = {**one, name: self.expanded(inner, deeper)}
        return one

    def page(self, every: list[Json], asked: Asked) -> Json:
        after = asked.one("starting_after")
        start = [one["id"] for one in every].index(after) + 1 if after else 0
        return {"object": "list", "data": every[start : start + 2], "has_more": start + 2 < len(every)}


class Zendesk:
    """Incremental exports: cursors for users and tickets, an end time and a next address for organizations."""

    def __init__(self) -> None:
        self.lists: dict[str, list[Json]] = {
            "tickets": [{"id": n, "created_at": iso(n)[:-5] + "Z", "updated_at": iso(n)[:-5] + "Z", "status": "open",
                         "requester_id": 100 + n, "submitter_id": 100 + n, "assignee_id": 107, "group_id": 5,
                         "organization_id": 9, "tags": ["vip", "eu"], "subject": "Printer", "priority": None,
                         "via": {"channel": "web", "source": {"from": {"address": "a@b.example"}}}}
                        for n in range(1, 6)],
            "users": [self.user(n) for n in (1, 2, 3, 7)],
            "organizations": [{"id": 9, "name": "Acme", "domain_names": ["acme.example", "acme.test"], "tags": ["eu"],
                               "details": None, "group_id": None, "shared_tickets": False, "shared_comments": False,
                               "created_at": iso(1), "updated_at": iso(1)}],
        }  # fmt: skip

    def user(self, number: int) -> Json:
        role = "agent" if number == 7 else "end-user"
        known = {"email": f"p{number}@acme.example", "name": f"P {number}", "organization_id": 9, "role": role}
        return {"id": 100 + number, "created_at": iso(number), "suspended": False, "ticket_restriction": None,
                "tags": [], **known}  # fmt: skip

    def __call__(self, asked: Asked) -> Json:
        if asked.headers.get("Authorization") != "Basic YWdlbnRAb3duLmV4YW1wbGUvdG9rZW46enNlY3JldA==":
            raise Status(401, {"error": "Couldn't authenticate you"})
        if asked.path.endswith("show_many.json"):
            return {"users": [self.user(int(one) - 100) for one in asked.one("ids").split(",")]}
        if asked.path.endswith("groups.json"):
            group = {"id": 5, "name": "Support", "url": "x", "created_at": iso(0), "updated_at": iso(0)}
            return {"groups": [group], "meta": {"has_more": False}, "links": {"next": "https://elsewhere.example/"}}
        if asked.path.endswith("satisfaction_ratings.json"):
            rating = {"id": 3, "ticket_id": 1, "requester_id": 104, "assignee_id": 107, "score": "good"}
            rated = [{**rating, "created_at": iso(5), "updated_at": iso(5)}]
            return {"satisfaction_ratings": rated, "meta": {"has_more": False}, "links": {"next": None}}
        kind = asked.path.split("/")[4].removesuffix(".json")
        every = self.lists[kind]
        if kind == "organizations":
            since = int(asked.one("start_time"))
            found = [one for one in every if datetime.fromisoformat(one["updated_at"]).timestamp() > since]
            end = max([since, *(int(datetime.fromisoformat(one["updated_at"]).timestamp()) for one in found)])
            url = f"http://{asked.headers['Host']}{asked.path}?start_time={end}&per_page=1000"
            return {kind: found, "count": len(found), "end_time": end, "next_page": url, "end_of_stream": not found}
        start = int(asked.one("cursor", "c0").removeprefix("c"))
        page = every[start : start + 2]
        return {kind: page, "after_cursor": f"c{start + len(page)}", "end_of_stream": start + 2 >= len(every)}


class Salesforce:
    """SOQL by instant, the next address in the answer, a token that is over after three requests."""

    def __init__(self) -> None:
        self.tokens, self.left = 0, 0
        self.objects: dict[str, list[Json]] = {
            "Account": [{"attributes": {"type": "Account"}, "Id": f"001{n}", "Name": f"Acme {n}", "BillingCity": "Bonn",
                         "OwnerId": "0051", "Industry": None, "BillingCountry": "DE", "NumberOfEmployees": 10,
                         "Website": f"https://acme{n}.example", "CreatedDate": iso(0).replace("Z", "+0000"),
                         "AnnualRevenue": 1200000.10, "Region__c": "EU", "IsDeleted": False,
                         "BillingAddress": {"city": "Bonn"},
                         "SystemModstamp": iso(n).replace("Z", "+0000")} for n in range(1, 6)],
            "Opportunity": [{"attributes": {"type": "Opportunity"}, "Id": "0061", "Name": "Big", "Amount": 24120000.0,
                             "IsWon": True, "IsClosed": True, "StageName": "Closed Won", "CloseDate": "2026-03-04",
                             "Pricebook2Id": None, "AccountId": "0011", "CreatedDate": iso(1).replace("Z", "+0000"),
                             "SystemModstamp": iso(4).replace("Z", "+0000")}],
            "Contact": [{"attributes": {"type": "Contact"}, "Id": "0031", "LastName": "Jane",
                         "Email": "jane@acme.example", "AccountId": "0011", "MailingCountry": "DE", "OwnerId": "0051",
                         "CreatedDate": iso(0).replace("Z", "+0000"), "SystemModstamp": iso(1).replace("Z", "+0000")}],
            "Task": [self.task("00T1", 3)],
        }  # fmt: skip

    def task(self, id_: str, day: int) -> Json:
        at = iso(day).replace("Z", "+0000")
        return {"attributes": {"type": "Task"}, "Id": id_, "WhoId": "0031", "WhatId": None, "AccountId": "0011",
                "Subject": "Call", "Priority": "Normal", "IsClosed": False, "ActivityDate": "2026-03-09",
                "CompletedDateTime": None, "CreatedDate": at, "OwnerId": "0051", "SystemModstamp": at}  # fmt: skip

    def __call__(self, asked: Asked) -> Json:
        if asked.path == "/services/oauth2/token":
            if asked.form.get("client_secret") != "sf-secret":
                raise Status(
                    400, {"error": "invalid_client", "error_description": f"bad {asked.form['client_secret']}"}
                )
            self.tokens, self.left = self.tokens + 1, 3
            return {"access_token": f"token-{self.tokens}", "token_type": "Bearer"}
        if asked.headers.get("Authorization") != f"Bearer token-{self.tokens}" or not self.left:
            raise Status(401, [{"errorCode": "INVALID_SESSION_ID", "message": "Session expired or invalid"}])
        self.left -= 1
        if "/query/" in asked.path:
            name, start = asked.path.rsplit("/", 1)[1].split("-")
        else:
            name, start = asked.one("q").split(" FROM ")[1].split(" ")[0], "0"
            self.since = asked.one("q").partition(">= ")[2]
            self.ids = asked.one("q").partition(" IN ")[2]
        found = [
            one for one in self.objects.get(name, [])
            if (not self.ids or one["Id"] in self.ids)
            and (not self.since or datetime.fromisoformat(one["SystemModstamp"]) >= datetime.fromisoformat(self.since))
        ]  # fmt: skip
        page, rest = found[int(start) : int(start) + 2], int(start) + 2 < len(found)
        told = {"totalSize": len(found), "done": not rest, "records": page}
        return {**told, "nextRecordsUrl": f"/services/data/v61.0/query/{name}-{int(start) + 2}"} if rest else told
