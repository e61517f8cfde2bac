"""Says what the console's pages may load and do (CSP), and counts what browsers report of attempts at anything else.

Nothing is loaded from elsewhere, no style and no script stands in a page, and none is made of text. The explorer is somebody
else's code: it has a policy of its own, which allows what that needs and nothing more.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response

from api.live.door import Door
from api.origin import page_of

REPORTS: Final = "/console/reports"

REPORT_BYTES_MAX: Final = 16_000
REPORTS_MAX: Final = 20
"""Of one request."""

_STRICT: Final[Mapping[str, str]] = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "connect-src": "'self'",
    "img-src": "'self' data:",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
    "report-uri": REPORTS,
}
"""Reports go the old way: beside `report-to` browsers ignore it, and what that names hears of them over HTTPS alone."""


def _headers(**allowed: str) -> dict[str, str]:
    """The headers of a page that allows this, too."""
    policy = {**_STRICT, **{name.replace("_", "-"): value for name, value in allowed.items()}}
    return {
        "content-security-policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cross-origin-opener-policy": "same-origin",
    }


PAGE: Final = _headers(require_trusted_types_for="'script'", trusted_types="'none'")
"""The console's: no text becomes markup or a script, whoever wrote it."""

OPERATIONS: Final = _headers(form_action="'self'")
"""Those of our own page of operations, which has the manual's search."""

_WHILE_A_DIALOG_IS_OPEN: Final = "sha256-Y/huXlwoYkVyQlxwSVcCi1RCDGDCSVBzDt0hYP9qlTc="
"""The one style that GraphiQL 3.9.0 puts into the page: it keeps the page from being scrolled below its dialogs."""

EXPLORER: Final = _headers(style_src=f"'self' '{_WHILE_A_DIALOG_IS_OPEN}'", font_src="data:")
"""The explorer's, which is somebody else's code: it needs its fonts, and one style by its hash."""

MODULE: Final = {
    "access-control-allow-origin": "*",
    "cross-origin-resource-policy": "cross-origin",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}
"""The headers of modules and styles, which pages of any origin may embed: they hold no secrets and give no rights."""

DIRECTIVES: Final = frozenset(
    {
        "default-src", "script-src", "script-src-elem", "script-src-attr", "style-src", "style-src-elem", "style-src-attr",
        "connect-src", "img-src", "font-src", "frame-src", "media-src", "object-src", "worker-src", "manifest-src",
        "frame-ancestors", "base-uri", "form-action", "require-trusted-types-for", "trusted-types",
    }
)  # fmt: skip
"""What is counted by its name; whatever else is reported counts as `other`."""

OTHER: Final = "other"


async def take_reports(request: Request) -> Response:
    """`POST /console/reports`: counts what a browser says that a page of ours was kept from, and answers with nothing.

    Anybody could send these, so they only ever raise a counter, and only for one who speaks as a page of ours.
    """
    door: Door = request.app.state.door
    if page_of(request.headers.get, door) is not None:
        return PlainTextResponse("Reports come from our own pages.\n", 403)
    body = await _body(request)
    if body is None:
        return PlainTextResponse(f"A report has {REPORT_BYTES_MAX} bytes at most.\n", 413)
    door.policy_reports.update(directives(body))
    return Response(status_code=204)


def directives(body: bytes) -> Counter[str]:
    """How often each directive is reported, in the old form of reports or the new one; nothing if it is neither."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return Counter()
    reports = said if isinstance(said, list) else [said]
    return Counter(_known(reports[:REPORTS_MAX]))


def _known(reports: Iterable[Any]) -> Iterator[str]:
    for report in reports:
        if not isinstance(report, dict):
            continue
        told = report.get("csp-report", report.get("body"))
        if isinstance(told, dict):
            name = str(
                told.get("effectiveDirective") or told.get("effective-directive") or told.get("violated-directive")
            )
            directive = name.partition(" ")[0]
            yield directive if directive in DIRECTIVES else OTHER


async def _body(request: Request) -> bytes | None:
    """What was sent, or `None` if it is too much."""
    body = b""
    try:
        async for part in request.stream():
            body += part
            if len(body) > REPORT_BYTES_MAX:
                return None
    except ClientDisconnect:
        return b""
    return body
