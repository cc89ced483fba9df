"""REST endpoints of leads, of one chatbot and of the whole workspace."""

from typing import Any

from django.http import HttpRequest
from ninja import Query, Router, Status

from apps.api_kit.authentication import ApiKeyAuth, get_caller
from apps.api_kit.callers import Scope
from apps.api_kit.openapi import raises
from apps.api_kit.schemas import DeletedSchema, SuccessSchema
from apps.audit.services import caller_actor
from apps.chatbots.errors import ChatbotNotFound
from apps.chatbots.queries import chatbots_for
from apps.core.ids import is_id
from apps.leads import queries, services
from apps.leads.errors import LeadEmailTaken
from apps.leads.models import Lead
from apps.leads.payloads import lead_payload
from apps.leads.schemas import (
    CreateLeadSchema,
    CreateLeadWithChatbotSchema,
    LeadFiltersSchema,
    LeadListSchema,
    LeadSchema,
    UpdateLeadSchema,
)

router = Router(tags=["leads"], by_alias=True)

READ = ApiKeyAuth(Scope.READ)
MANAGE = ApiKeyAuth(Scope.MANAGE)
CREATED = {201: SuccessSchema[LeadSchema], 200: SuccessSchema[LeadSchema]}
CHATBOT_LEADS = "/chatbots/{chatbot_id}/leads"
CHATBOT_LEAD = "/chatbots/{chatbot_id}/leads/{lead_id}"
UPDATE_METHODS = ["PUT", "PATCH"]

JsonObject = dict[str, Any]


@router.get(CHATBOT_LEADS, auth=READ, response=SuccessSchema[LeadListSchema])
def list_leads_of_chatbot(
    request: HttpRequest, chatbot_id: str, filters: Query[LeadFiltersSchema]
) -> JsonObject:
    """The chatbot's leads, newest first."""
    _require_chatbot(request, chatbot_id)
    return _list_leads(request, filters, chatbot_id)


@router.get("/leads", auth=READ, response=SuccessSchema[LeadListSchema])
def list_leads(request: HttpRequest, filters: Query[LeadFiltersSchema]) -> JsonObject:
    """The workspace's leads, newest first."""
    return _list_leads(request, filters, None)


@router.post(CHATBOT_LEADS, auth=MANAGE, response=CREATED)
def create_lead_of_chatbot(
    request: HttpRequest, chatbot_id: str, body: CreateLeadSchema
) -> Status[JsonObject]:
    """Create a lead (201), or update the chatbot's lead with this email (200)."""
    return _create_lead(request, chatbot_id, body)


@router.post("/leads", auth=MANAGE, response=CREATED, openapi_extra=raises(ChatbotNotFound))
def create_lead(request: HttpRequest, body: CreateLeadWithChatbotSchema) -> Status[JsonObject]:
    """Create a lead of the chatbot in the body (201), or update its lead with this email (200)."""
    return _create_lead(request, body.chatbot_id, body)


@router.get(CHATBOT_LEAD, auth=READ, response=SuccessSchema[LeadSchema])
def get_lead_of_chatbot(request: HttpRequest, chatbot_id: str, lead_id: str) -> JsonObject:
    """One lead of the chatbot."""
    return _success(_lead(request, lead_id, chatbot_id))


@router.get("/leads/{lead_id}", auth=READ, response=SuccessSchema[LeadSchema])
def get_lead(request: HttpRequest, lead_id: str) -> JsonObject:
    """One lead of the workspace."""
    return _success(_lead(request, lead_id))


@router.api_operation(
    UPDATE_METHODS,
    CHATBOT_LEAD,
    auth=MANAGE,
    response=SuccessSchema[LeadSchema],
    openapi_extra=raises(LeadEmailTaken),
)
def update_lead_of_chatbot(
    request: HttpRequest, chatbot_id: str, lead_id: str, body: UpdateLeadSchema
) -> JsonObject:
    """Change the given fields. PUT and PATCH do the same."""
    return _update_lead(request, _lead(request, lead_id, chatbot_id), body)


@router.api_operation(
    UPDATE_METHODS,
    "/leads/{lead_id}",
    auth=MANAGE,
    response=SuccessSchema[LeadSchema],
    openapi_extra=raises(LeadEmailTaken),
)
def update_lead(request: HttpRequest, lead_id: str, body: UpdateLeadSchema) -> JsonObject:
    """Change the given fields. PUT and PATCH do the same."""
    return _update_lead(request, _lead(request, lead_id), body)


@router.delete(CHATBOT_LEAD, auth=MANAGE, response=SuccessSchema[DeletedSchema])
def delete_lead_of_chatbot(request: HttpRequest, chatbot_id: str, lead_id: str) -> JsonObject:
    """Delete the lead. The conversation stays."""
    return _delete_lead(request, _lead(request, lead_id, chatbot_id))


@router.delete("/leads/{lead_id}", auth=MANAGE, response=SuccessSchema[DeletedSchema])
def delete_lead(request: HttpRequest, lead_id: str) -> JsonObject:
    """Delete the lead. The conversation stays."""
    return _delete_lead(request, _lead(request, lead_id))


def _require_chatbot(request: HttpRequest, chatbot_id: str) -> None:
    """Raises ChatbotNotFound unless the workspace has the chatbot, active or not."""
    chatbots = chatbots_for(get_caller(request).workspace_id)
    if not is_id(chatbot_id) or not chatbots.filter(id=chatbot_id).exists():
        raise ChatbotNotFound


def _lead(request: HttpRequest, lead_id: str, chatbot_id: str | None = None) -> Lead:
    if chatbot_id is not None:
        _require_chatbot(request, chatbot_id)
    return queries.get_lead(get_caller(request).workspace_id, lead_id, chatbot_id=chatbot_id)


def _list_leads(
    request: HttpRequest, filters: LeadFiltersSchema, chatbot_id: str | None
) -> JsonObject:
    leads = queries.leads_for(
        get_caller(request).workspace_id,
        chatbot_id=chatbot_id,
        status=filters.status,
        source=filters.source,
        search=filters.search,
    )
    page = queries.lead_page(leads, page=filters.page, limit=filters.limit)
    rows = [lead_payload(lead) for lead in page.leads]
    return {"success": True, "data": {"leads": rows, "pagination": _pagination(page)}}


def _pagination(page: queries.LeadPage) -> JsonObject:
    return {
        "page": page.page,
        "limit": page.limit,
        "total": page.total,
        "totalPages": page.total_pages,
        "hasNext": page.page < page.total_pages,
        "hasPrev": page.page > 1 and page.total > 0,
    }


def _create_lead(
    request: HttpRequest, chatbot_id: str, body: CreateLeadSchema
) -> Status[JsonObject]:
    _require_chatbot(request, chatbot_id)
    lead, is_new = services.create_lead(
        workspace_id=get_caller(request).workspace_id,
        chatbot_id=chatbot_id,
        fields=body.fields(),
        actor=caller_actor(request),
    )
    return Status(201 if is_new else 200, _success(lead))


def _update_lead(request: HttpRequest, lead: Lead, body: UpdateLeadSchema) -> JsonObject:
    return _success(
        services.update_lead(
            workspace_id=lead.workspace_id,
            lead_id=lead.id,
            fields=body.fields(),
            actor=caller_actor(request),
        )
    )


def _delete_lead(request: HttpRequest, lead: Lead) -> JsonObject:
    services.delete_lead(
        workspace_id=lead.workspace_id, lead_id=lead.id, actor=caller_actor(request)
    )
    return {"success": True, "data": {"id": lead.id, "deleted": True}}


def _success(lead: Lead) -> JsonObject:
    return {"success": True, "data": lead_payload(lead)}
