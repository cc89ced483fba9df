from __future__ import annotations

from apps.core.errors import Conflict, NotFound


class ConversationNotFound(NotFound):
    """Absent, of another chatbot, or another workspace's: the same answer."""

    code = "CONVERSATION_NOT_FOUND"
    message = "Conversation not found or access denied"


class ConversationBusy(Conflict):
    """One turn at a time runs in a conversation. PostgreSQL keeps it so."""

    code = "CONVERSATION_BUSY"
    message = "A reply is still being written in this conversation. Wait for it, or stop it."


class TurnNotFound(NotFound):
    """Absent, of another chatbot, or another workspace's: the same answer."""

    code = "TURN_NOT_FOUND"
    message = "Turn not found or access denied"


class MessageNotFound(NotFound):
    """Absent, of another conversation, or another workspace's: the same answer."""

    code = "MESSAGE_NOT_FOUND"
    message = "Message not found or access denied"


class MessageNotAnAnswer(Conflict):
    """What a chatbot says is rated, not what it is told."""

    code = "MESSAGE_NOT_AN_ANSWER"
    message = "Only a message of the assistant can be rated."


class ExportNotFound(NotFound):
    """Absent, no longer kept, or another workspace's: the same answer."""

    code = "EXPORT_NOT_FOUND"
    message = "Export not found or access denied"


class ExportNotReady(Conflict):
    """There is no whole file yet, or there will be none."""

    code = "EXPORT_NOT_READY"
    message = "This export is not completed. Read its status, then download it."


class TooManyExports(Conflict):
    """A workspace may ask for some files at a time, and keep some."""

    code = "TOO_MANY_EXPORTS"
    message = "This workspace has too many exports. Wait until one is finished, or delete one."


class TurnNotRunning(Exception):
    """The turn has settled already; nothing was changed."""
