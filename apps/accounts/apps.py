from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps
from django.core.checks import register
from django.db.models.signals import post_migrate


class AccountsConfig(AppConfig):
    name = "apps.accounts"
    verbose_name = "Accounts"
    default = True

    def ready(self) -> None:
        from allauth.mfa.signals import authenticator_added

        from apps.accounts.checks import check_deployment
        from apps.accounts.second_factor import end_other_sessions
        from apps.accounts.staff_roles import sync_group_permissions

        register(check_deployment, deploy=True)
        # Connected after django.contrib.auth's own receiver, which creates the permissions.
        post_migrate.connect(sync_group_permissions, dispatch_uid="staff roles")
        authenticator_added.connect(end_other_sessions, dispatch_uid="end other sessions")


class StaffAdminConfig(admin_apps.AdminConfig):
    """Django's admin with the site of `apps.accounts.admin_site`."""

    default = False
    default_site = "apps.accounts.admin_site.StaffAdminSite"
