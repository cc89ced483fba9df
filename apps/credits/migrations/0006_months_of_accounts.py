from django.db import migrations

# Workspaces that were given their plan's first credits have anniversaries from that day on. What
# was not promised before is not made up for: the next one is the first that counts.
BEGIN = """
UPDATE credits_account AS account
SET plan_began = first.day, next_grant_on = (
  SELECT min((first.day + months * interval '1 month')::date)
  FROM generate_series(1, 1200) AS months
  WHERE (first.day + months * interval '1 month')::date > (now() AT TIME ZONE 'UTC')::date
)
FROM (
  SELECT workspace_id, min(created_at AT TIME ZONE 'UTC')::date AS day
  FROM credits_ledgerentry WHERE kind = 'grant' AND reason LIKE 'First credits of the plan %'
  GROUP BY workspace_id
) AS first
WHERE account.workspace_id = first.workspace_id
  AND account.plan_id IS NOT NULL AND account.plan_began IS NULL
"""


class Migration(migrations.Migration):
    dependencies = [("credits", "0005_plans_and_lots")]
    operations = [migrations.RunSQL(BEGIN, migrations.RunSQL.noop)]
