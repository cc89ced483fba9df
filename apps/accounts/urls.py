"""URLs of authentication and of the user's account pages. The views are allauth's."""

from allauth.account import views as account
from allauth.mfa.base import views as second_factor
from allauth.mfa.recovery_codes import views as recovery_codes
from allauth.mfa.totp import views as totp
from allauth.mfa.webauthn import views as passkeys
from allauth.usersessions import views as sessions
from django.urls import path, re_path
from django.views.generic import RedirectView

from apps.accounts.access import readable_recovery_codes
from apps.accounts.views import second_factor_index

authentication_urls = [
    path("login", account.login, name="account_login"),
    path("login/passkey", passkeys.login_webauthn, name="mfa_login_webauthn"),
    path("login/second-factor", second_factor.authenticate, name="mfa_authenticate"),
    path("logout", account.logout, name="account_logout"),
    path("signup", account.signup, name="account_signup"),
    path("inactive", account.account_inactive, name="account_inactive"),
    path("verify-email", account.email_verification_sent, name="account_email_verification_sent"),
    path("verify-email/<str:key>", account.confirm_email, name="account_confirm_email"),
    path("password/reset", account.password_reset, name="account_reset_password"),
    path("password/reset/sent", account.password_reset_done, name="account_reset_password_done"),
    path(
        "password/reset/done",
        account.password_reset_from_key_done,
        name="account_reset_password_from_key_done",
    ),
    re_path(
        r"^password/reset/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>[^/]+)$",
        account.password_reset_from_key,
        name="account_reset_password_from_key",
    ),
    path("confirm", account.reauthenticate, name="account_reauthenticate"),
    path("confirm/code", second_factor.reauthenticate, name="mfa_reauthenticate"),
    path("confirm/passkey", passkeys.reauthenticate_webauthn, name="mfa_reauthenticate_webauthn"),
]

account_urls = [
    path("account", RedirectView.as_view(pattern_name="account_email"), name="account"),
    path("account/email", account.email, name="account_email"),
    path("account/password", account.password_change, name="account_change_password"),
    path("account/password/set", account.password_set, name="account_set_password"),
    path("account/sessions", sessions.list_usersessions, name="usersessions_list"),
    path("account/2fa", second_factor_index, name="mfa_index"),
    path("account/2fa/app", totp.activate_totp, name="mfa_activate_totp"),
    path("account/2fa/app/remove", totp.deactivate_totp, name="mfa_deactivate_totp"),
    path(
        "account/2fa/codes",
        readable_recovery_codes(recovery_codes.view_recovery_codes),
        name="mfa_view_recovery_codes",
    ),
    path(
        "account/2fa/codes/new",
        recovery_codes.generate_recovery_codes,
        name="mfa_generate_recovery_codes",
    ),
    path(
        "account/2fa/codes/download",
        readable_recovery_codes(recovery_codes.download_recovery_codes),
        name="mfa_download_recovery_codes",
    ),
    path("account/passkeys", passkeys.list_webauthn, name="mfa_list_webauthn"),
    path("account/passkeys/add", passkeys.add_webauthn, name="mfa_add_webauthn"),
    path("account/passkeys/<int:pk>", passkeys.edit_webauthn, name="mfa_edit_webauthn"),
    path("account/passkeys/<int:pk>/remove", passkeys.remove_webauthn, name="mfa_remove_webauthn"),
]

urlpatterns = [*authentication_urls, *account_urls]
