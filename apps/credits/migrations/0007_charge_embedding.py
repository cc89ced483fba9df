from django.contrib.postgres.operations import AddConstraintNotValid, ValidateConstraint
from django.db import migrations, models
from django.db.models import Q

from apps.infrastructure.postgres.online_index import AddIndexOnline

SIGN = "credits_amount_has_the_sign_of_its_kind"


class Migration(migrations.Migration):
    atomic = False  # the scan that validates must not hold the lock of the statements before it

    dependencies = [("credits", "0006_limit_running_turns_by_plan")]

    operations = [
        migrations.AlterField(
            model_name="ledgerentry",
            name="kind",
            field=models.CharField(
                choices=[
                    ("grant", "Grant"),
                    ("purchase", "Purchase"),
                    ("adjustment", "Adjustment"),
                    ("charge", "Charge"),
                    ("refund", "Refund"),
                    ("expiry", "Expiry"),
                    ("embedding", "Embedding"),
                ],
                max_length=10,
            ),
        ),
        migrations.RemoveConstraint(model_name="ledgerentry", name=SIGN),
        AddConstraintNotValid(
            model_name="ledgerentry",
            constraint=models.CheckConstraint(
                condition=Q(
                    Q(amount__lt=0, kind__in=("charge", "expiry", "embedding")),
                    Q(amount__gt=0, kind__in=("grant", "purchase", "refund")),
                    Q(("kind", "adjustment"), ~Q(amount=0)),
                    _connector="OR",
                ),
                name=SIGN,
            ),
        ),
        ValidateConstraint(model_name="ledgerentry", name=SIGN),
        AddIndexOnline(
            model_name="ledgerentry",
            index=models.Index(
                condition=Q(kind="embedding"), fields=["-id"], name="credits_ledger_embedding"
            ),
        ),
    ]
