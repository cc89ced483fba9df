from django.apps import AppConfig
from django.db.models.signals import post_migrate


class AccountsConfig(AppConfig):
    name = "apps.accounts"
    verbose_name = "Accounts"

    def ready(self) -> None:
        from apps.accounts.staff_roles import sync_group_permissions

        # Connected after django.contrib.auth's own receiver, which creates the permissions.
        post_migrate.connect(sync_group_permissions, dispatch_uid="staff roles")
