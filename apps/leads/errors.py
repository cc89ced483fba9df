from apps.core.errors import Conflict, NotFound


class LeadNotFound(NotFound):
    """The lead does not exist, or belongs to another chatbot or workspace."""

    code = "LEAD_NOT_FOUND"
    message = "Lead not found or access denied"


class LeadEmailTaken(Conflict):
    """Another lead of the chatbot has the email address, which is unique there."""

    code = "LEAD_EMAIL_TAKEN"
    message = "Another lead of this chatbot has this email address."
