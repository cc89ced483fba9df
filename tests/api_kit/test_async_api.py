"""What a response of an async view keeps in memory."""

import weakref
from collections.abc import AsyncGenerator

from django.http.response import HttpResponseBase
from django.test import AsyncRequestFactory
from rest_framework.request import Request

from apps.api_kit.async_api import AsyncApiView, EventStreamResponse


async def no_chunks() -> AsyncGenerator[bytes, None]:
    for chunk in list[bytes]():
        yield chunk


class EmptyStreamView(AsyncApiView):
    http_method_names = ["post"]

    async def post(self, request: Request) -> HttpResponseBase:
        assert request.data == {"message": "Hi"}
        return EventStreamResponse(no_chunks(), reader="somebody")


async def test_stream_does_not_keep_its_request() -> None:
    """It is freed at once, not by the next garbage collection, and so is its body."""
    request = AsyncRequestFactory().post("/", {"message": "Hi"}, content_type="application/json")
    response = await EmptyStreamView.as_view()(request)
    assert isinstance(response, EventStreamResponse)
    freed = weakref.ref(request)
    del request

    assert freed() is None
