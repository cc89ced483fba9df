from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from apps.dashboard.access import workspace_page
from apps.dashboard.forms.knowledge import SearchForm
from apps.knowledge.queries import find_knowledge_base
from apps.knowledge.search.services import SearchResult, search
from apps.llm.errors import ProviderError
from apps.workspaces.models import Member
from apps.workspaces.roles import Permission

MAX_PASSAGES, MAX_TOKENS = 10, 8000


@workspace_page(Permission.VIEW)
def search_knowledge(request: HttpRequest, member: Member, knowledge_base_id: str) -> HttpResponse:
    """What is found for a question (`?question=`), as a chatbot would find it. It is free."""
    base = find_knowledge_base(member.workspace_id, knowledge_base_id)
    form = SearchForm(request.GET if "question" in request.GET else None)
    result: SearchResult | None = None
    has_failed = False
    if form.is_bound and form.is_valid():
        question = form.cleaned_data["question"]
        try:
            result = search([base], question, max_passages=MAX_PASSAGES, max_tokens=MAX_TOKENS)
        except ProviderError:
            has_failed = True
    context = {
        "base": base,
        "form": form,
        "result": result,
        "has_failed": has_failed,
    }
    return render(request, "dashboard/knowledge/search.html", context)
