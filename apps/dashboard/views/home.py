from datetime import timedelta
from email.utils import parseaddr

from django import forms
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from apps.knowledge.fetching.types import ROBOTS_TOKEN, fetch_options

CURL = """curl -X POST {origin}/api/v1/chatbots/{{chatbotId}}/chat \\
  -H "Authorization: Bearer sk-workspace_…" \\
  -H "Content-Type: application/json" \\
  -d '{{"message": "Hello!", "stream": true}}' --no-buffer"""


def home(request: HttpRequest) -> HttpResponse:
    """The public home page."""
    origin = request.build_absolute_uri("/")[:-1]
    return render(request, "dashboard/home.html", {"curl": CURL.format(origin=origin)})


@require_safe
def bot(request: HttpRequest) -> HttpResponse:
    """What the robot does that fetches pages, for those whose pages it fetches."""
    options = fetch_options(visitor="")
    context = {
        "token": ROBOTS_TOKEN,
        "user_agent": options.user_agent,
        "interval": f"{options.interval_seconds:g}",
        "max_crawl_delay": f"{options.max_crawl_delay_seconds:g}",
        "contact": settings.FETCH_CONTACT or parseaddr(settings.DEFAULT_FROM_EMAIL)[1],
    }
    return render(request, "dashboard/bot.html", context)


@require_safe
def styleguide(request: HttpRequest) -> HttpResponse:
    """Each component of the design system, to be looked at. For developers: it is off elsewhere."""
    if not settings.SHOW_STYLEGUIDE:
        raise Http404
    context = {
        "form": SampleForm({"name": "", "prompt": "Answer briefly.", "model": "b", "on": True}),
        "filters": SampleFilters({"since": "7"}),
        "moment": timezone.now() - timedelta(hours=3),
        "page": {"first_url": "?", "next_url": "?"},
    }
    return render(request, "dashboard/styleguide.html", context)


class SampleFilters(forms.Form):
    """What a list can be narrowed by."""

    since = forms.ChoiceField(choices=[("7", "7 days"), ("30", "30 days")], required=False)


class SampleForm(forms.Form):
    """One field of each kind, the first with an error."""

    name = forms.CharField(help_text="What people will see.")
    prompt = forms.CharField(widget=forms.Textarea(attrs={"rows": 3}))
    model = forms.ChoiceField(choices=[("a", "Small · 1 credit per reply"), ("b", "Large")])
    on = forms.BooleanField(label="Active", required=False)
    size = forms.ChoiceField(
        choices=[("s", "Small"), ("l", "Large")], widget=forms.RadioSelect, required=False
    )
