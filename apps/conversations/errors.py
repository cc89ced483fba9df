from apps.core.errors import Conflict, NotFound


class ConversationNotFound(NotFound):
    """Absent, of another chatbot or of another workspace: not distinguished."""

    code = "CONVERSATION_NOT_FOUND"
    message = "Conversation not found or access denied"


class ConversationBusy(Conflict):
    """A turn runs in the conversation already; PostgreSQL allows one at a time."""

    code = "CONVERSATION_BUSY"
    message = "A reply is still being written in this conversation. Wait for it, or stop it."


class TurnNotFound(NotFound):
    """Absent, of another chatbot or of another workspace: not distinguished."""

    code = "TURN_NOT_FOUND"
    message = "Turn not found or access denied"


class MessageNotFound(NotFound):
    """Absent, of another conversation or of another workspace: not distinguished."""

    code = "MESSAGE_NOT_FOUND"
    message = "Message not found or access denied"


class MessageNotAnAnswer(Conflict):
    """The message is not one of the assistant, so it cannot be rated."""

    code = "MESSAGE_NOT_AN_ANSWER"
    message = "Only a message of the assistant can be rated."


class ExportNotFound(NotFound):
    """Absent, expired or of another workspace: not distinguished."""

    code = "EXPORT_NOT_FOUND"
    message = "Export not found or access denied"


class ExportNotReady(Conflict):
    """The export is not finished, or it failed."""

    code = "EXPORT_NOT_READY"
    message = "This export is not completed. Read its status, then download it."


class TooManyExports(Conflict):
    """The workspace reached its limit of unfinished or stored exports."""

    code = "TOO_MANY_EXPORTS"
    message = "This workspace has too many exports. Wait until one is finished, or delete one."


class TurnNotRunning(Exception):
    """The turn has settled already. Nothing was changed."""
