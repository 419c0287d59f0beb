"""Style, scripts and the font: read once, served under an address that changes with their content."""

import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter, Request, Response

from approval_api.access.permission import OPEN
from approval_api.reports.html import report_css
from approval_api.web.problems import ProblemError

FOLDER = Path(__file__).parent / "assets"
_FOR_EVER = "public, max-age=31536000, immutable"

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Asset:
    """One file that pages load."""

    content: bytes
    media_type: str


class Assets:
    """All files of the folder; few and small enough to be kept."""

    def __init__(self) -> None:
        """Read the folder. The style sheet names the font by a relative path, so one digest covers all."""
        self._assets = {
            path.relative_to(FOLDER).as_posix(): Asset(path.read_bytes(), _media_type(path))
            for path in sorted(FOLDER.rglob("*"))
            if path.is_file()
        }
        # The report's style is its renderer's: one and the same for pages and files.
        self._assets["report.css"] = Asset(report_css().encode(), "text/css; charset=utf-8")
        every = hashlib.sha256()
        for name, asset in self._assets.items():
            every.update(name.encode() + b"\0" + hashlib.sha256(asset.content).digest())
        self.version = every.hexdigest()[:16]

    def url(self, name: str) -> str:
        """Return the address of a file. Raises KeyError when there is none: a page would be broken."""
        return f"/assets/{self.version}/{name}" if self._assets[name] else ""

    def find(self, name: str) -> Asset | None:
        """Return the file, or None."""
        return self._assets.get(name)


def _media_type(path: Path) -> str:
    guessed = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return f"{guessed}; charset=utf-8" if guessed.startswith("text/") else guessed


@router.get("/assets/{version}/{name:path}", dependencies=[OPEN])
async def show_asset(version: str, name: str, request: Request) -> Response:
    """Serve a file. Under another version's address it is served too, but not kept by the browser."""
    assets: Assets = request.app.state.pages.assets
    asset = assets.find(name)
    if asset is None:
        raise ProblemError("not-found", 404, "there is no such file; reload the page that asked for it")
    caching = _FOR_EVER if version == assets.version else "no-cache"
    return Response(asset.content, media_type=asset.media_type, headers={"Cache-Control": caching})
