"""The style guide shows every component, in development only."""

from __future__ import annotations

from django.conf import LazySettings
from django.test import Client

from tests.contracts.app_boundaries import ROOT

COMPONENTS = ROOT / "templates" / "components"


def test_style_guide_shows_every_component(db: None) -> None:
    page = Client().get("/styleguide")
    shown = {str(template.name).rsplit("/")[-1] for template in page.templates}
    parts = {path.name for path in COMPONENTS.glob("*.html")}
    assert page.status_code == 200
    assert parts - shown == set()


def test_style_guide_is_off_in_production(settings: LazySettings) -> None:
    settings.SHOW_STYLEGUIDE = False
    assert Client().get("/styleguide").status_code == 404
