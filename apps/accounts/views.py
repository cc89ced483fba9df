"""allauth's pages with what Parley adds to them."""

from typing import Any

from allauth.mfa.base.views import IndexView

from apps.accounts.second_factor import unreadable_factors


class SecondFactorIndexView(IndexView):  # type: ignore[misc]
    """The overview of a user's second factors, with those that cannot be read any more."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        unreadable = unreadable_factors(self.request.user)
        return {**super().get_context_data(**kwargs), "unreadable": unreadable}


second_factor_index = SecondFactorIndexView.as_view()
