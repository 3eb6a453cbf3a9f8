"""Content credentials (C2PA): a signed statement inside a video of who made it, with which models, and that it is AI's.

Invisible, and bound to the bytes: with one of them changed it no longer holds. `docs/provenance.md` says how to read it.
"""

import io
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

import c2pa
from PIL import Image

from generations import certificates
from generations.certificates import BadCertificate, Signatory

logger = logging.getLogger(__name__)

MEDIA_TYPE = "video/mp4"
SOFTWARE = "Video generation"
# The assertion that is ours: what the file is in this product's own terms.
ORIGIN = "video-generation.origin"
_VERIFY: Mapping[str, bool] = {
    # What stands in somebody's file is no reason to call anybody.
    "remote_manifest_fetch": False,
    "ocsp_fetch": False,
    # Nothing counts as signed that doesn't verify.
    "verify_after_sign_hash": True,
}
# From here on the media are hashed a piece at a time: otherwise the library holds all of a file in memory.
LARGE = 32 << 20


Kind = Literal["clip", "film", "edit"]
# The IPTC's terms for where such pictures come from: one model, a mix of what models made, or somebody's own video
# that was edited, and no model had a part in it.
SOURCE_TYPES: Mapping[Kind, str] = {
    "clip": "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia",
    "film": "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia",
    "edit": "http://cv.iptc.org/newscodes/digitalsourcetype/humanEdits",
}


class SigningFailed(Exception):
    """The credentials could not be written: our fault, whatever the file is.

    `unusable`: who signs is the reason, a certificate or its time-stamp authority: no file can be signed for the moment.
    """

    def __init__(self, message: str, *, unusable: bool = False) -> None:
        self.unusable = unusable
        super().__init__(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What is said of a video. Ids and names of models only: no prompt, and nobody's name."""

    title: str
    kind: Kind
    models: Sequence[str]
    created_at: datetime
    generation_id: UUID | None = None
    project_id: UUID | None = None
    plan_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What a file says of itself, and whether that can be believed."""

    sound: bool
    """It is signed, and the bytes are those that were signed."""
    trusted: bool = False
    """And its certificate comes from an issuer of this installation's own."""
    problems: Sequence[str] = ()
    """What does not hold, in the codes of the C2PA specification."""
    title: str = ""
    source_type: str = ""
    """The IPTC's term, an address."""
    kind: str = ""
    models: Sequence[str] = ()
    software: str = ""
    signed_by: str = ""
    created_at: str = ""
    generation_id: str | None = None
    project_id: str | None = None
    plan_version: int | None = None
    earlier: int = 0
    """How many older statements it carries on, the vendor's own for example."""


def sign(path: Path, claim: Claim, *, before: Path | None = None) -> None:
    """Write the credentials into the MP4 at `path`, which is replaced; what it stated before is carried on.

    `before`: the file that it was made of, where that is another one: then what that one states is carried on.

    Memory stays flat, unless a large file's media are in several boxes; the disk holds the file three times meanwhile.
    Raises SigningFailed; then the file is as it was.
    """
    signatory = _signatory()
    signed = path.with_name(f"{path.name}.signed")
    try:
        with (
            _context(signatory, in_pieces=_can_be_hashed_in_pieces(path)) as context,
            _signer(signatory) as signer,
            _builder(before or path, claim, context) as builder,
            path.open("rb") as source,
            signed.open("w+b") as target,
        ):
            builder.sign(signer, MEDIA_TYPE, source, target)
        signed.replace(path)
    except (c2pa.C2paError, OSError) as error:
        signed.unlink(missing_ok=True)
        raise SigningFailed(
            f"The content credentials could not be written: {error}",
            unusable=isinstance(error, c2pa.C2paError.Signature),
        ) from error


def prove_signing() -> None:
    """Sign a picture of nothing with the certificate in use, asking nobody for the time.

    Raises SigningFailed where the operator's can't be used, or is none that may sign content credentials.
    """
    signatory = replace(_signatory(), timestamp_url=None)
    nothing = io.BytesIO()
    Image.new("L", (1, 1)).save(nothing, "PNG")
    claim = Claim(title="", kind="clip", models=(), created_at=datetime.now(UTC))
    manifest = _manifest(claim, continues=False) | {"format": "image/png"}
    try:
        with _context(signatory) as context, _signer(signatory) as signer:
            c2pa.Builder(manifest, context=context).sign(signer, "image/png", nothing, io.BytesIO())
    except c2pa.C2paError as error:
        raise SigningFailed(
            f"C2PA_CERTIFICATE_CHAIN can't sign content credentials: {error}", unusable=True
        ) from error


def read(path: Path) -> Credentials | None:
    """The newest credentials in the MP4; None if it has none. Raises SigningFailed where ours can't be used."""
    with _context(_signatory()) as context:
        try:
            found = _found(path, context)
        except c2pa.C2paError:
            return Credentials(sound=False, problems=("unreadable",))
    if found is None:
        return None
    manifest = found["manifests"][found["active_manifest"]]
    assertions = {one["label"]: one["data"] for one in manifest["assertions"]}
    origin = assertions.get(ORIGIN, {})
    made = _first_action(assertions)
    state = found.get("validation_state")
    results = found.get("validation_results", {}).get("activeManifest", {})
    return Credentials(
        sound=state in ("Valid", "Trusted"),
        trusted=state == "Trusted",
        problems=tuple(one["code"] for one in results.get("failure", [])),
        title=manifest.get("title", ""),
        source_type=made.get("digitalSourceType", ""),
        kind=origin.get("kind", ""),
        models=tuple(origin.get("models", ())),
        software=made.get("softwareAgent", {}).get("name", ""),
        signed_by=manifest.get("signature_info", {}).get("issuer", ""),
        created_at=made.get("when", ""),
        generation_id=origin.get("generation_id"),
        project_id=origin.get("project_id"),
        plan_version=origin.get("plan_version"),
        earlier=len(found["manifests"]) - 1,
    )


def _signatory() -> Signatory:
    try:
        return certificates.signatory()
    except BadCertificate as error:
        raise SigningFailed(str(error), unusable=True) from error


def _context(signatory: Signatory, *, in_pieces: bool = False) -> c2pa.Context:
    core = {"backing_store_memory_threshold_in_mb": 16}
    if in_pieces:
        core["merkle_tree_chunk_size_in_kb"] = 1024
    return c2pa.Context.from_dict(
        {"core": core, "verify": _VERIFY, "trust": {"user_anchors": signatory.chain}}
    )


def _can_be_hashed_in_pieces(path: Path) -> bool:
    """Whether it is large, and of one box of media: c2pa 0.38 counts the pieces of several boxes wrong."""
    end = path.stat().st_size
    if end < LARGE:
        return False
    boxes, position = 0, 0
    with path.open("rb") as file:
        while position < end:
            file.seek(position)
            size, kind = int.from_bytes(file.read(4)), file.read(4)
            boxes += kind == b"mdat"
            if size == 1:
                size = int.from_bytes(file.read(8))
            # Zero: to the file's end.
            position += max(size, 8) if size else end
    return boxes == 1


def _signer(signatory: Signatory) -> c2pa.Signer:
    return c2pa.Signer.from_info(
        c2pa.C2paSignerInfo(
            signatory.algorithm, signatory.chain.encode(), signatory.key.encode(), signatory.timestamp_url
        )
    )


def _builder(path: Path, claim: Claim, context: c2pa.Context) -> c2pa.Builder:
    try:
        continues = _found(path, context) is not None
    except c2pa.C2paError as error:
        # Whatever its maker wrote there, nobody can read it: there is nothing to carry on.
        logger.warning("%s carries credentials that can't be read: %s", claim.title, error)
        continues = False
    builder = c2pa.Builder(_manifest(claim, continues=continues), context=context)
    if continues:
        with path.open("rb") as before:
            builder.add_ingredient(
                {"title": "As its maker delivered it", "relationship": "parentOf", "label": "before"},
                MEDIA_TYPE,
                before,
            )
    return builder


def _manifest(claim: Claim, *, continues: bool) -> dict[str, Any]:
    software = {"name": f"{SOFTWARE} ({', '.join(claim.models)})" if claim.models else SOFTWARE}
    made: dict[str, Any] = {
        "action": "c2pa.opened" if continues else "c2pa.created",
        "when": claim.created_at.isoformat(),
        "softwareAgent": software,
        "digitalSourceType": SOURCE_TYPES[claim.kind],
    }
    if continues:
        made["parameters"] = {"ingredientIds": ["before"]}
    actions = [made]
    if claim.kind != "clip":
        actions.append({"action": "c2pa.edited", "softwareAgent": software})
    origin = {
        "kind": claim.kind,
        "models": list(claim.models),
        "generation_id": str(claim.generation_id) if claim.generation_id else None,
        "project_id": str(claim.project_id) if claim.project_id else None,
        "plan_version": claim.plan_version,
    }
    return {
        "claim_generator_info": [{"name": SOFTWARE}],
        "title": claim.title,
        "format": MEDIA_TYPE,
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": actions}},
            {"label": ORIGIN, "data": {name: value for name, value in origin.items() if value is not None}},
        ],
    }


def _found(path: Path, context: c2pa.Context) -> dict[str, Any] | None:
    """What the library reads in the file; None if there is nothing. Raises C2paError."""
    with path.open("rb") as file:
        reader = c2pa.Reader.try_create(MEDIA_TYPE, file, context=context)
        if reader is None:
            return None
        with reader:
            found: dict[str, Any] = json.loads(reader.json())
            return found


def _first_action(assertions: Mapping[str, Any]) -> Mapping[str, Any]:
    for label, data in assertions.items():
        if label.startswith("c2pa.actions"):
            first: Mapping[str, Any] = (data.get("actions") or [{}])[0]
            return first
    return {}
