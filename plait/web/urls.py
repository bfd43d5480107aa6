"""The addresses of the desk: those that each page states. `tests/web/test_rights.py` says who may open which."""

from __future__ import annotations

from django.urls import include, path

from plait.web.pages import addresses
from plait.web.people import entrance

urlpatterns = [*addresses(), path("account/", include(entrance.URLS))]
handler400 = "plait.web.pages.fault.misread"
handler403 = "plait.web.pages.fault.forbidden"
handler404 = "plait.web.pages.fault.not_found"
handler500 = "plait.web.pages.fault.broken"
