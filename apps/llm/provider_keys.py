"""API keys of model providers: environment variables, each bound to the servers it may be sent to.

Keys are never in the database. MODEL_API_KEYS maps each variable to origins such as
`https://api.openai.com`: whoever may add a language model chooses its address and its variable, and
could otherwise send any variable of the process to a server of their own.
"""

import os
import re
from functools import lru_cache

from django.conf import settings

from apps.llm.errors import KeyNotAllowed, ProviderUnavailable

_ADDRESS = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?"
    r"(?:/[^\s?#@\\]*)?\Z",
    re.IGNORECASE | re.ASCII,
)
_DEFAULT_PORTS = {"http": 80, "https": 443}
_AMBIENT_CREDENTIALS = {
    "bedrock": ".amazonaws.com",
    "sagemaker": ".amazonaws.com",
    "sagemaker_chat": ".amazonaws.com",
    "vertex_ai": ".googleapis.com",
    "vertex_ai_beta": ".googleapis.com",
}
"""Providers that litellm gives the machine's own credentials, and where these may go."""


@lru_cache(maxsize=1024)
def origin(address: str) -> str | None:
    """Return scheme, host and port of an address; None for one that is not plain http(s)."""
    match = _ADDRESS.match(address.strip())
    if match is None:
        return None
    scheme, host = match["scheme"].lower(), match["host"].lower()
    return f"{scheme}://{host}:{int(match['port'] or _DEFAULT_PORTS[scheme])}"


def require_key_allowed(*, variable: str, api_base: str, litellm_id: str = "") -> None:
    """Raise KeyNotAllowed if MODEL_API_KEYS does not let this variable go to this address.

    Without `api_base` a key goes to the address that litellm knows for its provider, so that being
    listed is enough.
    """
    if not variable:
        _refuse_ambient_credentials(litellm_id, api_base)
        return
    if api_base and origin(api_base) is None:
        raise KeyNotAllowed(
            f"{variable} may not be sent to {api_base!r}: write http(s)://host[:port][/path]"
        )
    allowed = settings.MODEL_API_KEYS.get(variable)
    if allowed is None:
        raise KeyNotAllowed(
            f"{variable} is no key for models: list it in the setting MODEL_API_KEYS, with the "
            "servers that it may be sent to"
        )
    if api_base and origin(api_base) not in {origin(each) for each in allowed}:
        raise KeyNotAllowed(
            f"{variable} may not be sent to {origin(api_base)}: the setting MODEL_API_KEYS binds "
            f"it to {', '.join(allowed) or 'the address of its provider'}"
        )


def api_key_from_env(variable: str, *, api_base: str, litellm_id: str = "") -> str:
    """Return the variable's key, "" for no variable.

    Raises: ProviderUnavailable if the variable is empty or may not be sent to this address.
    """
    try:
        require_key_allowed(variable=variable, api_base=api_base, litellm_id=litellm_id)
    except KeyNotAllowed as error:
        raise ProviderUnavailable(str(error)) from None
    if not variable:
        return ""
    key = os.environ.get(variable, "").strip()
    if not key:
        raise ProviderUnavailable(f"the environment variable {variable} holds no key")
    return key


def _refuse_ambient_credentials(litellm_id: str, api_base: str) -> None:
    domain = _AMBIENT_CREDENTIALS.get(litellm_id.partition("/")[0])
    host = (origin(api_base) or "").rpartition(":")[0]
    if domain and api_base and not host.endswith(domain):
        raise KeyNotAllowed(f"{litellm_id} sends this machine's credentials to {domain[1:]} alone")
