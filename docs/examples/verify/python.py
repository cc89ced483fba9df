import base64
import hashlib
import hmac
import json
import time


def verify(secret: str, headers: dict[str, str], body: bytes) -> dict:
    """Return the event. Raises ValueError unless Parley signed it within the last 5 minutes."""
    timestamp = headers["webhook-timestamp"]
    if abs(time.time() - int(timestamp)) > 300:
        raise ValueError("The request is too old.")
    key = base64.b64decode(secret.removeprefix("whsec_"))
    content = f"{headers['webhook-id']}.{timestamp}.".encode() + body
    expected = base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()
    for signature in headers["webhook-signature"].split(" "):
        if hmac.compare_digest(signature.encode(), f"v1,{expected}".encode()):
            return json.loads(body)
    raise ValueError("The signature is wrong.")
