"""The surfaces that the gateway serves: what differs between Chat Completions, Responses, Messages and Embeddings beside their texts.

Path, format, what a request asks for, what counts as an answer, usage, and how a stream is framed and ends. Leaves out: where texts stand
in them, which is `guards.places`' to say.
"""

from affiant.gateway.surfaces.chat import CHAT
from affiant.gateway.surfaces.embeddings import EMBEDDINGS
from affiant.gateway.surfaces.messages import MESSAGES
from affiant.gateway.surfaces.model import Asked, Reading, Surface
from affiant.gateway.surfaces.responses import RESPONSES

SURFACES: tuple[Surface, ...] = (CHAT, RESPONSES, MESSAGES, EMBEDDINGS)
BY_PATH: dict[str, Surface] = {f"/v1{surface.path}": surface for surface in SURFACES}

__all__ = ["BY_PATH", "SURFACES", "Asked", "Reading", "Surface"]
