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
from apps.dashboard.docs.examples import ExampleContext, Snippet, snippets
from apps.dashboard.docs.pages import FIRST_PAGE, GROUPS, DocsPage, find_page
from apps.dashboard.docs.rendering import LINK_PREFIX, render_article
from apps.dashboard.docs.try_it import answer, check_rate_limit
from apps.infrastructure.web.client_address import request_client
from apps.workspaces.models import Member
from apps.workspaces.queries import memberships_for
from apps.workspaces.roles import Permission

UrlFor = Callable[[str], str]
"""Returns the URL of the docs page with a slug."""


@dataclass(frozen=True, slots=True)
class RenderedPart:
    """HTML, or an example in its languages, of which `language` is shown first."""

    html: str = ""
    name: str = ""
    snippets: list[Snippet] = field(default_factory=list)
    language: str = ""
    has_try_it: bool = False


@require_safe
def public(request: HttpRequest, page: str = FIRST_PAGE.slug) -> HttpResponse:
    """A public docs page. Examples use a chatbot of the signed-in user, if there is one."""
    memberships = memberships_for(request.user) if request.user.is_authenticated else []
    member = next(iter(memberships), None)
    chatbots = active_chatbots_for(member.workspace_id) if member else []

    def url_for(slug: str) -> str:
        return reverse("docs") if slug == FIRST_PAGE.slug else reverse("docs_page", args=[slug])

    context = _context(request, _get_page(page), chatbots, url_for)
    return render(request, "docs/public.html", {**context, "membership": member})


@workspace_page(Permission.VIEW)
def developers(request: HttpRequest, member: Member, page: str = FIRST_PAGE.slug) -> HttpResponse:
    """A docs page in the workspace. Examples use the chatbot `?chatbot=`."""
    workspace_slug = member.workspace.slug
    chatbots = active_chatbots_for(member.workspace_id)

    def url_for(slug: str) -> str:
        if slug == FIRST_PAGE.slug:
            return reverse("dashboard:developers", args=[workspace_slug])
        return reverse("dashboard:developers_page", args=[workspace_slug, slug])

    context = _context(request, _get_page(page), chatbots, url_for)
    return render(request, "docs/developers.html", {**context, "chatbots": chatbots})


@csrf_exempt  # it needs no session and changes nothing
@require_POST
def try_it(request: HttpRequest) -> HttpResponse:
    """Answer a message with the echo model, in the format of the chat endpoint."""
    try:
        window = check_rate_limit(request_client(request))
        echo = answer(request.body)
    except (ApiError, ValidationError) as exception:
        error = as_api_error(exception)
        return JsonResponse(error.body(), status=error.status, headers=error.headers())
    if echo.is_stream:
        return HttpResponse(
            echo.as_stream(),
            content_type="text/event-stream; charset=utf-8",
            headers=window.headers(),
        )
    return JsonResponse(echo.as_json(), headers=window.headers())


def _get_page(slug: str) -> DocsPage:
    page = find_page(slug)
    if page is None:
        raise Http404
    return page


def _context(
    request: HttpRequest, page: DocsPage, chatbots: list[Chatbot], url_for: UrlFor
) -> dict[str, Any]:
    chosen = request.GET.get("chatbot")
    chatbot = next((each for each in chatbots if each.id == chosen), next(iter(chatbots), None))
    query = f"?chatbot={chosen}" if chatbot and chatbot.id == chosen else ""

    def url_with_chatbot(slug: str) -> str:
        return url_for(slug) + query

    examples = ExampleContext(request.build_absolute_uri("/")[:-1], chatbot.id if chatbot else None)
    language = request.COOKIES.get("language", "")
    return {
        "page": page,
        "chatbot": chatbot,
        "parts": list(_render_parts(page, examples, url_with_chatbot, language)),
        "contents": render_article(page).contents,
        "groups": [
            (title, [(each, url_with_chatbot(each.slug)) for each in pages])
            for title, pages in GROUPS.items()
        ],
    }


def _render_parts(
    page: DocsPage, examples: ExampleContext, url_for: UrlFor, language: str
) -> Iterator[RenderedPart]:
    has_try_it = page.has_try_it
    for part in render_article(page).parts:
        if part.example:
            found = snippets(part.example, examples)
            has_language = any(each.language == language for each in found)
            first = language if has_language else found[0].language
            yield RenderedPart("", part.example, found, first, has_try_it=has_try_it)
            has_try_it = False
        else:
            yield RenderedPart(html=_resolve_links(part.html, url_for))


def _resolve_links(html: str, url_for: UrlFor) -> SafeString:
    first, *rest = html.split(f'href="{LINK_PREFIX}')
    pieces = [first]
    for piece in rest:
        target, _, after = piece.partition('"')
        slug, _, anchor = target.partition("#")
        pieces.append(f'href="{url_for(slug)}{"#" + anchor if anchor else ""}"{after}')
    return mark_safe("".join(pieces))  # noqa: S308 — our own files and URLs
