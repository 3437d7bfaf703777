"""The frame of the settings, for the pages of this room that stand among them."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from registry.access.views.settings import frame


def settings_page(request: HttpRequest, template: str, tab: str, **context: Any) -> HttpResponse:
    return render(request, template, frame(request, tab) | context)
