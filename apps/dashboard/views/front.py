from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def home(request: HttpRequest) -> HttpResponse:
    """The front door: what this is and where to go."""
    return render(request, "dashboard/home.html", {"origin": request.build_absolute_uri("/")[:-1]})
