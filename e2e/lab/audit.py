"""The audit log of a real API server: who asked what, and how it was answered. Pure: lines in, values out."""

import json
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

UNAUTHORIZED, FORBIDDEN = 401, 403


@dataclass(frozen=True)
class Request:
    """One answered request of a service account."""

    account: str  # its name, without the namespace
    pod: str
    credential: str  # which token it came with
    verb: str
    path: str
    query: dict  # name -> last value
    code: int


def requests(lines):
    """The requests that were answered, in order; a watch counts from its start on. A torn last line is left out."""
    found = []
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if entry["verb"] == "watch" and entry["stage"] == "ResponseComplete":
            continue
        extra = entry["user"].get("extra", {})
        address = urlsplit(entry["requestURI"])
        found.append(Request(
            entry["user"]["username"].rsplit(":", 1)[-1],
            *(next(iter(extra.get(f"authentication.kubernetes.io/{name}", [])), "")
              for name in ("pod-name", "credential-id")),
            entry["verb"], address.path,
            {name: values[-1] for name, values in parse_qs(address.query, keep_blank_values=True).items()},
            entry.get("responseStatus", {}).get("code", 0)))
    return found


def refused(entries):
    """Those that an account had no right to."""
    return [entry for entry in entries if entry.code in (UNAUTHORIZED, FORBIDDEN)]
