"""The JSON object of a lead, in API responses and webhook events."""

from typing import Any

from apps.leads.models import Lead


def lead_payload(lead: Lead) -> dict[str, Any]:
    """Return the lead's JSON object. Queries its captured fields unless they are prefetched."""
    captured = sorted(lead.captured.all(), key=lambda each: (each.created_at, each.id))
    return {
        "id": lead.id,
        "chatbotId": lead.chatbot_id,
        "conversationId": lead.conversation_id,
        "name": lead.name or None,
        "email": lead.email,
        "phone": lead.phone or None,
        "source": lead.source,
        "status": lead.status,
        "metadata": lead.metadata,
        "captured": [
            {"field": each.field, "value": each.value, "messageId": each.message_id}
            for each in captured
        ],
        "createdAt": lead.created_at.isoformat(),
        "updatedAt": lead.updated_at.isoformat(),
    }
