"""One clip: projects, generations with their attempts, every stored file, quotes, what vendors told us."""

from generations.models.assets import Asset, AssetKind, AssetState
from generations.models.generations import Attempt, AttemptState, Generation, GenerationStatus
from generations.models.inventory import Inventory
from generations.models.projects import Project, ProjectState
from generations.models.quotes import Promise, Quote
from generations.models.switches import ModelSwitch
from generations.models.vendor_accounts import OPENS_AFTER, AccountHealth, DriftReport
from generations.models.webhooks import WebhookDelivery

__all__ = [
    "OPENS_AFTER",
    "AccountHealth",
    "Asset",
    "AssetKind",
    "AssetState",
    "Attempt",
    "AttemptState",
    "DriftReport",
    "Generation",
    "GenerationStatus",
    "Inventory",
    "ModelSwitch",
    "Project",
    "ProjectState",
    "Promise",
    "Quote",
    "WebhookDelivery",
]
