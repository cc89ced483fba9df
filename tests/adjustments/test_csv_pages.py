"""The admin page that adjusts credits by a CSV file."""

from __future__ import annotations

import hashlib

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from apps.adjustments.models import Adjustment
from apps.credits.queries import balance_for
from tests.adjustments.adjustment_factories import amounts, make_line, make_staff, submit_lines
from tests.factories import Team, grant_credits

UPLOAD = reverse("admin:adjustments_adjustment_upload")
HEADER = "workspace,amount,kind,reason,reference,expiry\n"


def csv_upload(*rows: str) -> SimpleUploadedFile:
    return SimpleUploadedFile("may.csv", (HEADER + "\n".join(rows) + "\n").encode())


def test_file_posts_only_without_invalid_rows(finance: Client, team: Team) -> None:
    good = f"{team.workspace.slug},40,goodwill,May,,"
    page = finance.post(
        UPLOAD, {"file": csv_upload(good, f"{team.other_workspace.slug},lots,goodwill,May,,")}
    )
    assert (page.status_code, page.context["invalid_rows"], page.context["token"]) == (422, 1, "")
    assert [row[-1] for row in page.context["table"]["rows"]] == [
        "nothing",
        "The amount must be a whole number such as 250 or -40, without separators.",
    ]
    fixed = csv_upload(good, f"{team.other_workspace.slug},5,goodwill,May,,")
    page = finance.post(UPLOAD, {"file": fixed})
    assert [row[4] for row in page.context["table"]["rows"]] == ["0 → 40", "0 → 5"]
    assert amounts(team) == []
    finance.post(UPLOAD, {"preview": page.context["token"], "confirm": "1"})
    balances = [balance_for(each.id).balance for each in (team.workspace, team.other_workspace)]
    (made,) = Adjustment.objects.all()
    assert (balances, made.file_name, made.lines.count()) == ([40, 5], "may.csv", 2)
    fixed.seek(0)
    (error,) = finance.post(UPLOAD, {"file": fixed}).context["form"].errors["file"]
    assert error == (
        f"This file was posted on {made.requested_at:%d %B %Y, %H:%M} UTC, uploaded by"
        f" {made.requested_by.email}. Nothing was posted again."
    )
    late = finance.post(UPLOAD, {"preview": page.context["token"], "confirm": "1"})
    assert (late.status_code, amounts(team)) == (302, [40])


def test_changed_balance_shows_the_dry_run_again(finance: Client, team: Team) -> None:
    page = finance.post(UPLOAD, {"file": csv_upload(f"{team.workspace.slug},40,goodwill,May,,")})
    grant_credits(team.workspace, 2)
    again = finance.post(UPLOAD, {"preview": page.context["token"], "confirm": "1"})
    assert (again.status_code, amounts(team)) == (422, [2])
    assert again.context["table"]["rows"][0][4] == "2 → 42"
    finance.post(UPLOAD, {"preview": again.context["token"], "confirm": "1"})
    assert amounts(team) == [2, 40]


def test_file_above_the_threshold_is_pending(finance: Client, team: Team) -> None:
    rows = [f"{each.slug},6000,promotion,May,," for each in (team.workspace, team.other_workspace)]
    page = finance.post(UPLOAD, {"file": csv_upload(*rows)})
    assert list(page.context["preview"].approval_reasons) == [
        "The file moves 12,000 credits in total, more than 10,000."
    ]
    finance.post(UPLOAD, {"preview": page.context["token"], "confirm": "1"})
    (request,) = Adjustment.objects.all()
    assert (request.status, amounts(team)) == ("pending", [])
    (error,) = finance.post(UPLOAD, {"file": csv_upload(*rows)}).context["form"].errors["file"]
    assert error.startswith("This file has been awaiting approval since")


def test_invalid_file_shows_an_error(finance: Client) -> None:
    for content, message in ((b"\xff\xfew", "UTF-16"), (b"x" * 600_000, "600,000 bytes")):
        page = finance.post(UPLOAD, {"file": SimpleUploadedFile("a.csv", content)})
        (error,) = page.context["form"].errors["file"]
        assert (page.status_code, message in error) == (422, True)
    assert finance.post(UPLOAD, {}).status_code == 422


def test_rows_posted_before_must_be_confirmed(finance: Client, team: Team) -> None:
    slug, other = team.workspace.slug, team.other_workspace.slug
    page = finance.post(
        UPLOAD, {"file": csv_upload(f"{slug},40,goodwill,May,007,", f"{other},5,goodwill,May,,")}
    )
    assert page.context["repeats"] == []
    finance.post(UPLOAD, {"preview": page.context["token"], "confirm": "1"})
    (posted,) = Adjustment.objects.all()
    again = csv_upload(f"{other},6,goodwill,May,,", f"{slug},40,goodwill,Slow in May,7,")
    page = finance.post(UPLOAD, {"file": again})
    warning = (
        f"Row 3: same references and amounts as on {posted.requested_at:%d %B %Y, %H:%M} UTC"
        f" by {posted.requested_by.email} (may.csv)."
    )
    assert [str(repeat) for repeat in page.context["repeats"]] == [warning]
    assert warning in page.content.decode()
    form = {"preview": page.context["token"], "confirm": "1"}
    unconfirmed = finance.post(UPLOAD, form)
    assert (unconfirmed.status_code, amounts(team)) == (422, [40])
    assert unconfirmed.context["warning"] == "Nothing was posted."
    finance.post(UPLOAD, {**form, "repeats": page.context["repeated_ids"]})
    assert amounts(team) == [40, 40]


def test_file_posted_while_it_was_previewed_must_be_confirmed(finance: Client, team: Team) -> None:
    row = f"{team.workspace.slug},40,goodwill,May,T-1,"
    pages = [finance.post(UPLOAD, {"file": csv_upload(row)})]
    pages.append(finance.post(UPLOAD, {"file": csv_upload(row.replace("May", "June"))}))
    answers = [
        finance.post(UPLOAD, {"preview": page.context["token"], "confirm": "1"}) for page in pages
    ]
    assert [answer.status_code for answer in answers] == [302, 422]
    assert amounts(team) == [40]
    assert len(answers[1].context["repeats"]) == 1


def test_file_of_another_spelling_is_the_same_file(finance: Client, team: Team) -> None:
    row = f"{team.workspace.slug},40,goodwill,May,T-1,"
    page = finance.post(UPLOAD, {"file": csv_upload(row)})
    finance.post(UPLOAD, {"preview": page.context["token"], "confirm": "1"})
    saved = b"\xef\xbb\xbf" + f"{HEADER}{row},,\n\n".replace("40,", "40.00,").encode()
    page = finance.post(UPLOAD, {"file": SimpleUploadedFile("may.csv", saved)})
    (error,) = page.context["form"].errors["file"]
    assert error.startswith("This file was posted on")


def test_file_posted_under_the_digest_of_its_bytes_is_recognised(
    finance: Client, team: Team
) -> None:
    content = f"{HEADER}{team.workspace.slug},40,goodwill,May,,\n".encode()
    digest = hashlib.sha256(content).hexdigest()
    line = make_line(team.other_workspace, 1)
    submit_lines(make_staff("finance"), line, file_digest=digest, file_name="may.csv")
    page = finance.post(UPLOAD, {"file": SimpleUploadedFile("may.csv", content)})
    (error,) = page.context["form"].errors["file"]
    assert error.startswith("This file was posted on")
