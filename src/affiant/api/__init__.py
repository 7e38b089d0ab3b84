"""The same actions as the console's, as JSON for machines, under `/api/v1` with `openapi.json` from the route table."""

from affiant.api.app import ROUTES, create_api
from affiant.api.context import Context, PackageRequest, RunRequest

__all__ = ["ROUTES", "Context", "PackageRequest", "RunRequest", "create_api"]
