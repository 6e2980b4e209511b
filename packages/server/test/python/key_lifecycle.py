"""Creates, validates and rotates a key with an admin key, and makes a chat call with it.

Usage: key_lifecycle.py BASE_URL MODEL, with the admin key in KEYFOLD_ADMIN_KEY. Prints what it saw as JSON.
"""

import json
import os
import sys

import requests

TIMEOUT_S = 10


def call(method: str, url: str, secret: str, body: dict | None = None) -> requests.Response:
    headers = {"Authorization": f"Bearer {secret}"}
    return requests.request(method, url, headers=headers, json=body, timeout=TIMEOUT_S)


def main() -> None:
    base_url, model = sys.argv[1:3]
    admin = os.environ["KEYFOLD_ADMIN_KEY"]

    created = call("POST", f"{base_url}/keys", admin, {"permissions": ["chat"], "rate_limit": 60})
    created.raise_for_status()
    first, key_id = created.json()["api_key"], created.json()["id"]

    # As many programs do it: a POST without a body.
    rotated = call("POST", f"{base_url}/keys/{key_id}/rotate", admin)
    rotated.raise_for_status()
    second = rotated.json()["new_api_key"]

    message = {"role": "user", "content": "Hello"}
    chat = {"model": model, "messages": [message], "max_tokens": 10}
    seen = {"key_id": key_id, "rotated_key_id": rotated.json()["key_id"], "version": rotated.json()["version"]}
    for name, secret in (("old", first), ("new", second)):
        validated = call("GET", f"{base_url}/keys/validate", secret)
        answered = call("POST", f"{base_url}/chat/completions", secret, chat)
        seen[name] = {
            "valid": validated.json()["valid"],
            "remaining_quota": validated.json()["remaining_quota"],
            "status": answered.status_code,
            "content": answered.json()["choices"][0]["message"]["content"],
        }
    wrong = call("GET", f"{base_url}/keys/validate", first[:-1] + "~")
    seen["wrong"] = {"status": wrong.status_code, "body": wrong.json()}
    print(json.dumps(seen))


if __name__ == "__main__":
    main()
