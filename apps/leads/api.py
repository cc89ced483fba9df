"""Leads over REST, for one chatbot and for the whole workspace: parse, call, format."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Query, Router, Status

from apps.api_kit.authentication import ApiKeyAuth, get_caller
from apps.api_kit.callers import Scope
from apps.api_kit.openapi import raises
from apps.audit.services import caller_actor
from apps.chatbots.errors import ChatbotNotFound
from apps.leads import services
from apps.leads.access import resolve_chatbot_id, resolve_lead
from apps.leads.errors import LeadEmailTaken
from apps.leads.models import Lead
from apps.leads.payloads import lead_payload
from apps.leads.queries import LeadPage, lead_page, leads_for
from apps.leads.schemas import (
    CreateLeadSchema,
    CreateLeadWithChatbotSchema,
    DeletedLeadAnswer,
    LeadAnswer,
    LeadFiltersSchema,
    LeadListAnswer,
    UpdateLeadSchema,
)

router = Router(tags=["leads"], by_alias=True)

READ = ApiKeyAuth(Scope.READ)
MANAGE = ApiKeyAuth(Scope.MANAGE)
CREATED = {201: LeadAnswer, 200: LeadAnswer}
OF_CHATBOT = "/chatbots/{chatbot_id}/leads"
ONE_OF_CHATBOT = "/chatbots/{chatbot_id}/leads/{lead_id}"
CHANGING = ["PUT", "PATCH"]

Answer = dict[str, Any]


@router.get(OF_CHATBOT, auth=READ, response=LeadListAnswer)
def list_leads_of_chatbot(
    request: HttpRequest, chatbot_id: str, filters: Query[LeadFiltersSchema]
) -> Answer:
    """The chatbot's leads, newest first."""
    chatbot_id = resolve_chatbot_id(get_caller(request).workspace_id, chatbot_id)
    return _listed(request, filters, chatbot_id)


@router.get("/leads", auth=READ, response=LeadListAnswer)
def list_leads(request: HttpRequest, filters: Query[LeadFiltersSchema]) -> Answer:
    """The workspace's leads, newest first."""
    return _listed(request, filters, None)


@router.post(OF_CHATBOT, auth=MANAGE, response=CREATED)
def create_lead_of_chatbot(
    request: HttpRequest, chatbot_id: str, body: CreateLeadSchema
) -> Status[Answer]:
    """Create a lead: 201. The same email for the same chatbot changes the lead it has: 200."""
    return _created(request, chatbot_id, body)


@router.post("/leads", auth=MANAGE, response=CREATED, openapi_extra=raises(ChatbotNotFound))
def create_lead(request: HttpRequest, body: CreateLeadWithChatbotSchema) -> Status[Answer]:
    """Create a lead for the chatbot that the body names: 201, or 200 as above."""
    return _created(request, body.chatbot_id, body)


@router.get(ONE_OF_CHATBOT, auth=READ, response=LeadAnswer)
def get_lead_of_chatbot(request: HttpRequest, chatbot_id: str, lead_id: str) -> Answer:
    """One lead of the chatbot."""
    return _shown(_lead(request, lead_id, chatbot_id))


@router.get("/leads/{lead_id}", auth=READ, response=LeadAnswer)
def get_lead(request: HttpRequest, lead_id: str) -> Answer:
    """One lead of the workspace."""
    return _shown(_lead(request, lead_id))


@router.api_operation(
    CHANGING,
    ONE_OF_CHATBOT,
    auth=MANAGE,
    response=LeadAnswer,
    openapi_extra=raises(LeadEmailTaken),
)
def update_lead_of_chatbot(
    request: HttpRequest, chatbot_id: str, lead_id: str, body: UpdateLeadSchema
) -> Answer:
    """Change the fields that are given. PUT and PATCH do the same."""
    return _updated(request, _lead(request, lead_id, chatbot_id), body)


@router.api_operation(
    CHANGING,
    "/leads/{lead_id}",
    auth=MANAGE,
    response=LeadAnswer,
    openapi_extra=raises(LeadEmailTaken),
)
def update_lead(request: HttpRequest, lead_id: str, body: UpdateLeadSchema) -> Answer:
    """Change the fields that are given. PUT and PATCH do the same."""
    return _updated(request, _lead(request, lead_id), body)


@router.delete(ONE_OF_CHATBOT, auth=MANAGE, response=DeletedLeadAnswer)
def delete_lead_of_chatbot(request: HttpRequest, chatbot_id: str, lead_id: str) -> Answer:
    """Delete the lead. The conversation stays."""
    return _deleted(request, _lead(request, lead_id, chatbot_id))


@router.delete("/leads/{lead_id}", auth=MANAGE, response=DeletedLeadAnswer)
def delete_lead(request: HttpRequest, lead_id: str) -> Answer:
    """Delete the lead. The conversation stays."""
    return _deleted(request, _lead(request, lead_id))


def _lead(request: HttpRequest, lead_id: str, chatbot_id: str | None = None) -> Lead:
    return resolve_lead(get_caller(request).workspace_id, lead_id, chatbot_id=chatbot_id)


def _listed(request: HttpRequest, filters: LeadFiltersSchema, chatbot_id: str | None) -> Answer:
    found = leads_for(
        get_caller(request).workspace_id,
        chatbot_id=chatbot_id,
        status=filters.status,
        source=filters.source,
        search=filters.search,
    )
    page = lead_page(found, page=filters.page, limit=filters.limit)
    leads = [lead_payload(lead) for lead in page.leads]
    return {"success": True, "data": {"leads": leads, "pagination": _pagination(page)}}


def _pagination(page: LeadPage) -> Answer:
    return {
        "page": page.page,
        "limit": page.limit,
        "total": page.total,
        "totalPages": page.total_pages,
        "hasNext": page.page < page.total_pages,
        "hasPrev": page.page > 1 and page.total > 0,
    }


def _created(request: HttpRequest, chatbot_id: str, body: CreateLeadSchema) -> Status[Answer]:
    workspace_id = get_caller(request).workspace_id
    lead, is_new = services.create_lead(
        workspace_id=workspace_id,
        chatbot_id=resolve_chatbot_id(workspace_id, chatbot_id),
        fields=body.fields(),
        actor=caller_actor(request),
    )
    return Status(201 if is_new else 200, _shown(lead))


def _updated(request: HttpRequest, lead: Lead, body: UpdateLeadSchema) -> Answer:
    return _shown(
        services.update_lead(
            workspace_id=lead.workspace_id,
            lead_id=lead.id,
            fields=body.fields(),
            actor=caller_actor(request),
        )
    )


def _deleted(request: HttpRequest, lead: Lead) -> Answer:
    services.delete_lead(
        workspace_id=lead.workspace_id, lead_id=lead.id, actor=caller_actor(request)
    )
    return {"success": True, "data": {"id": lead.id, "deleted": True}}


def _shown(lead: Lead) -> Answer:
    return {"success": True, "data": lead_payload(lead)}
