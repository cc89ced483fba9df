"""Template filters that format numbers."""

from django import template

register = template.Library()


@register.filter
def signed(number: int) -> str:
    """Format with a sign and thousands separators: `+1,000`, and `−7` with a real minus."""
    return f"{number:+,}".replace("-", "−")
