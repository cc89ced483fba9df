from datetime import UTC, datetime
from typing import Annotated

from django.http import HttpRequest
from ninja import Query, Router

from apps.api_kit.authentication import ApiKeyAuth, get_caller
from apps.api_kit.callers import Scope
from apps.api_kit.schemas import IsoDate, SuccessSchema
from apps.reporting.usage.queries import MAX_DAYS, GroupBy, usage_for
from apps.reporting.usage.schemas import UsageSchema

router = Router(tags=["credits"], by_alias=True)


@router.get("/credits/usage", auth=ApiKeyAuth(Scope.READ), response=SuccessSchema[UsageSchema])
def get_credit_usage(
    request: HttpRequest,
    days: Annotated[int, Query(ge=1, le=MAX_DAYS, description="Number of days.")] = 30,
    until: Annotated[IsoDate | None, Query(description="The last day; today by default.")] = None,
    group_by: Annotated[GroupBy, Query(alias="groupBy")] = GroupBy.DAY,
) -> SuccessSchema[UsageSchema]:
    """Get the usage of a number of days by day, chatbot, language model or API key.

    Days are in order. Other groups are ordered by credits, the most first, at most 1,000.
    """
    usage = usage_for(
        get_caller(request).workspace_id,
        until=until or datetime.now(UTC).date(),
        days=days,
        by=group_by,
    )
    return SuccessSchema(data=UsageSchema.from_usage(usage, group_by))
