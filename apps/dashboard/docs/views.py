from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe
from rest_framework.exceptions import ValidationError

from apps.api_kit.error_format import as_api_error
from apps.chatbots.models import Chatbot
from apps.chatbots.queries import active_chatbots_for
from apps.core.errors import ApiError
from apps.dashboard.access import workspace_page
from apps.dashboard.docs import try_it as trying
from apps.dashboard.docs.examples import ExampleContext, Snippet, snippets
from apps.dashboard.docs.pages import FIRST_PAGE, GROUPS, DocsPage, find_page
from apps.dashboard.docs.rendering import LINK_PREFIX, render_article
from apps.infrastructure.web.middleware import client_ip
from apps.workspaces.models import Member
from apps.workspaces.queries import memberships_for
from apps.workspaces.roles import Permission

Address = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class RenderedPart:
    """A stretch of a page as one reader sees it: HTML, or an example with the language that is
    shown first. `is_tried`: whether one can send a message beneath it."""

    html: str = ""
    name: str = ""
    snippets: list[Snippet] = field(default_factory=list)
    language: str = ""
    is_tried: bool = False


@require_safe
def public(request: HttpRequest, page: str = FIRST_PAGE.slug) -> HttpResponse:
    """A docs page for everybody; who is signed in finds a chatbot of theirs in its examples."""
    places = memberships_for(request.user) if request.user.is_authenticated else []
    member = next(iter(places), None)
    chatbots = active_chatbots_for(member.workspace_id) if member else []
    context = _context(request, _page(page), chatbots, index="docs", at="docs_page")
    return render(request, "docs/public.html", {**context, "place": member})


@workspace_page(Permission.VIEW)
@require_safe
def developers(request: HttpRequest, member: Member, page: str = FIRST_PAGE.slug) -> HttpResponse:
    """The same pages in the workspace, with whichever of its chatbots is asked for."""
    names = {"index": "dashboard:developers", "at": "dashboard:developers_page"}
    chatbots = active_chatbots_for(member.workspace_id)
    context = _context(request, _page(page), chatbots, slug=member.workspace.slug, **names)
    return render(request, "docs/developers.html", {**context, "chatbots": chatbots})


@csrf_exempt  # it knows nobody and keeps nothing
@require_POST
def try_it(request: HttpRequest) -> HttpResponse:
    """The echo's answer to a message, as the chat endpoint would give it."""
    try:
        window = trying.check_rate_limit(client_ip(request))
        tried = trying.answer_with_echo(request.body)
    except (ApiError, ValidationError) as exception:
        error = as_api_error(exception)
        return JsonResponse(error.body(), status=error.status, headers=error.headers())
    if tried.streams:
        return HttpResponse(
            tried.as_stream(),
            content_type="text/event-stream; charset=utf-8",
            headers=window.headers(),
        )
    return JsonResponse(tried.as_json(), headers=window.headers())


def _page(slug: str) -> DocsPage:
    page = find_page(slug)
    if page is None:
        raise Http404
    return page


def _context(
    request: HttpRequest,
    page: DocsPage,
    chatbots: list[Chatbot],
    *,
    index: str,
    at: str,
    **place: str,
) -> dict[str, Any]:
    wanted = request.GET.get("chatbot")
    chatbot = next((each for each in chatbots if each.id == wanted), next(iter(chatbots), None))
    asked = f"?chatbot={wanted}" if chatbot and chatbot.id == wanted else ""

    def address(slug: str) -> str:
        return reverse(index if slug == FIRST_PAGE.slug else at, kwargs=_where(slug, place)) + asked

    reader = ExampleContext(request.build_absolute_uri("/")[:-1], chatbot.id if chatbot else None)
    return {
        "page": page,
        "chatbot": chatbot,
        "parts": list(_shown(page, reader, address, request.COOKIES.get("language", ""))),
        "contents": render_article(page).contents,
        "groups": [
            (title, [(each, address(each.slug)) for each in pages])
            for title, pages in GROUPS.items()
        ],
    }


def _where(slug: str, place: dict[str, str]) -> dict[str, str]:
    return place if slug == FIRST_PAGE.slug else {**place, "page": slug}


def _shown(
    page: DocsPage, reader: ExampleContext, address: Address, language: str
) -> Iterator[RenderedPart]:
    tries = page.has_try_it
    for part in render_article(page).parts:
        if part.example:
            written = snippets(part.example, reader)
            has_it = any(each.language == language for each in written)
            first = language if has_it else written[0].language
            yield RenderedPart("", part.example, written, first, is_tried=tries)
            tries = False
        else:
            yield RenderedPart(html=_placed(part.html, address))


def _placed(html: str, address: Address) -> SafeString:
    """The HTML with the addresses of our own pages where this reader finds them."""
    first, *rest = html.split(f'href="{LINK_PREFIX}')
    found = [first]
    for piece in rest:
        target, _, after = piece.partition('"')
        slug, _, anchor = target.partition("#")
        found.append(f'href="{address(slug)}{"#" + anchor if anchor else ""}"{after}')
    return mark_safe("".join(found))  # noqa: S308 — our own text and addresses
