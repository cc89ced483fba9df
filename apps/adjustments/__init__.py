"""Manual credit adjustments by staff: preview, confirm, post; two-person approval."""
