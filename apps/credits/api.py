from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router

from apps.api_keys.models import Scope
from apps.api_keys.ninja_auth import ApiKeyAuth, caller_in
from apps.credits.queries import balance_of
from apps.credits.schemas import CreditsAnswer

router = Router(tags=["credits"], by_alias=True)


@router.get("/credits", auth=ApiKeyAuth(Scope.READ), response=CreditsAnswer)
def get_credits(request: HttpRequest) -> dict[str, Any]:
    """The workspace's credits: all of them, and the part that running turns hold."""
    credits = balance_of(caller_in(request).workspace_id)
    return {"success": True, "data": {"balance": credits.balance, "held": credits.held}}
