"""What a claim makes: a stored file of its own, so that no other claim, and no other job, overwrites it."""

from uuid import UUID, uuid5

from workers.jobs import Lease


def asset_id_of(lease: Lease) -> UUID:
    """The id of the file that this claim stores: the same whoever asks, and no other claim's."""
    return uuid5(lease.job_id, f"made-{lease.fence}")
