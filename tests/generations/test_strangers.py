"""Every route of the API, as its own description lists them: asked by a stranger, by nobody, by a key that only reads."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.apps import apps
from django.conf import settings
from django.db import transaction
from django.urls import URLPattern, URLResolver, get_resolver
from drf_spectacular.generators import SchemaGenerator
from PIL import Image
from redis import Redis
from rest_framework.test import APIClient

from accounts.credentials import EVERY_SCOPE, Credential
from accounts.models import ApiKey, User
from credits import ledger
from generations import storage
from generations.models import Asset, Generation, Project, Quote
from pipeline import versions
from pipeline.models import Analysis, Author, ChatTurn, Render, RenderSegment, VideoEdit
from tests.factories import UserFactory, api_key
from tests.generations.storage.files import Stored, make_asset
from tests.pipeline.plans.cast import film as made_of
from tests.pipeline.plans.cast import segment
from workers import clock
from workers.models import Job

CLIP = {"model": "sandbox/motion-1", "prompt": "A boat"}
# What these routes need to be told before they do anything.
BODIES: dict[str, dict[str, Any]] = {
    "assets_crop": {"x": 0, "y": 0, "width": 32, "height": 32},
    "estimates_create": CLIP,
    "generations_create": CLIP,
    "projects_create": {"title": "Boats"},
    "projects_update": {"title": "Boats"},
    "me_api_keys_create": {"name": "Mine"},
    "projects_plan_update": {"edits": [{"op": "set_grade", "grade": "warm"}]},
    "projects_chat_create": {"message": "make it warm"},
    "uploads_create": {"name": "boat.png", "media_type": "image/png", "bytes": 1000},
    "renders_regenerate": {"segments": ["s1"]},
    "videos_edits_create": {"grade": "warm"},
    "videos_edits_estimate": {"grade": "warm"},
}


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one address, as the API describes it."""

    name: str
    method: str
    path: str
    described: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def parameters(self) -> list[str]:
        return [one["name"] for one in self.described.get("parameters", []) if one["in"] == "path"]


@cache
def description() -> dict[str, Any]:
    schema: dict[str, Any] = SchemaGenerator().get_schema(public=True)  # type: ignore[no-untyped-call]
    return schema


def routes() -> list[Route]:
    """All that are ours; those under auth/ are allauth's, and about nobody but who signs in."""
    return [
        Route(described["operationId"], method, path, described)
        for path, methods in description()["paths"].items()
        for method, described in methods.items()
        if not path.startswith("/api/v1/auth/")
    ]


def ids_in_body(route: Route) -> Iterator[str]:
    """The fields of the route's JSON body that take an id."""
    content = route.described.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return
    component = content["schema"]["$ref"].rsplit("/", 1)[1]
    for field, kind in description()["components"]["schemas"][component]["properties"].items():
        kinds = [kind, *kind.get("anyOf", [])]
        if any(one.get("format") == "uuid" for one in kinds) and not kind.get("readOnly"):
            yield field


ROUTES = routes()
BY_ID = [route for route in ROUTES if route.parameters]
LISTS = [route for route in ROUTES if route.method == "get" and not route.parameters]
CHANGING = [route for route in ROUTES if route.method != "get"]
IDS_IN_BODIES = [(route, field) for route in ROUTES for field in ids_in_body(route)]


@pytest.fixture
def owner(db: None, empty_redis: Redis) -> User:
    return rich()


@pytest.fixture
def stranger(owner: User) -> User:
    return rich()


def rich() -> User:
    user = UserFactory.create()
    with transaction.atomic():
        ledger.grant(owner_id=user.pk, amount=10_000, key=f"test:{user.pk}")
    return user


def signed_in(user: User) -> APIClient:
    client = APIClient()
    client.force_authenticate(user, Credential(kind="session", scopes=EVERY_SCOPE))  # type: ignore[arg-type]
    return client


def ask(client: APIClient, route: Route, path: str, **more: Any) -> Any:
    body = {**BODIES.get(route.name, {}), **more}
    return getattr(client, route.method)(path, body if route.method != "get" else None, format="json")


@dataclass(frozen=True, slots=True)
class Belongings:
    """One of everything that a route can name, such that its owner's request for it does something."""

    owner: User
    image: Asset
    sound: Asset
    upload: Asset
    video: Asset
    project: UUID
    waiting: UUID
    completed: UUID
    failed: UUID
    turn: UUID
    key: ApiKey
    # Open and completed; only where the route is about one.
    render: UUID | None
    rendered: UUID | None
    edit: UUID | None
    edited: UUID | None
    # Of a clip, a render or an edit, as the route takes it.
    quote: UUID

    def path(self, route: Route) -> str:
        path = route.path
        for name in route.parameters:
            path = path.replace(f"{{{name}}}", str(self._named(name, route)))
        assert "{" not in path
        return path

    def _named(self, parameter: str, route: Route) -> UUID | int | None:
        special: dict[str, UUID | None] = {
            "uploads_finish": self.upload.id,
            "assets_crop": self.image.id,
            "assets_delete": self.sound.id,
            "generations_cancel": self.waiting,
            "generations_retry": self.failed,
            "jobs_cancel": Generation.objects.get(id=self.waiting).job_id,
            "renders_download": self.rendered,
            "edits_download": self.edited,
            "videos_edits_create": self.video.id,
            "videos_edits_estimate": self.video.id,
        }
        usual: dict[str, UUID | int | None] = {
            "asset_id": self.image.id,
            "generation_id": self.completed,
            "project_id": self.project,
            "key_id": self.key.id,
            "job_id": Generation.objects.get(id=self.completed).job_id,
            "turn_id": self.turn,
            "render_id": self.render,
            "edit_id": self.edit,
            "number": 1,
        }
        return special.get(route.name, usual[parameter])

    def value(self, field: str) -> str:
        """What a body's field names."""
        return str(
            {
                "project": self.project,
                "quote_id": self.quote,
                "start_image": self.image.id,
                "end_image": self.image.id,
                "source_video": self.video.id,
                "sample": self.video.id,
                "character": self.image.id,
                "audio": self.sound.id,
            }[field]
        )


@pytest.fixture
def belongings(owner: User, stored: Stored, tmp_path: Path, request: pytest.FixtureRequest) -> Belongings:
    api = signed_in(owner)
    about = request.node.callspec.params["route"].path
    picture = tmp_path / "boat.png"
    Image.new("RGB", (64, 64), "blue").save(picture)
    content = picture.read_bytes()

    def file(kind: str, media_type: str, **fields: Any) -> Asset:
        made = make_asset(
            owner,
            kind=kind,
            origin="upload",
            media_type=media_type,
            width=64,
            height=64,
            bytes=len(content),
            **fields,
        )
        stored.put(made.key, content)
        return made

    def clip(**ended: Any) -> UUID:
        body = {**CLIP, "project": project} if ended else CLIP  # a project with running work can't be deleted
        made = UUID(api.post("/api/v1/generations/", body, format="json").json()["id"])
        if ended:
            now = clock.now()
            Generation.objects.filter(id=made).update(ended_at=now, **ended)
            Job.objects.filter(subject_id=made).update(state=ended["status"], ended_at=now, waits=False)
        return made

    project = api.post("/api/v1/projects/", {"title": "Boats"}, format="json").json()["id"]
    video = file("video", "video/mp4", duration_seconds=3)
    turn = talked_about(Project.objects.get(id=project), video)
    film = Project.objects.create(owner=owner, title="Rendered")
    if "/renders/" in about:
        talked_about(film, video)
    return Belongings(
        owner=owner,
        image=file("image", "image/png"),
        sound=file("audio", "audio/mpeg"),
        video=video,
        upload=file("image", "image/png", state="uploading", key=storage.incoming_key(uuid4())),
        project=UUID(project),
        waiting=clip(),
        completed=clip(status="completed", output=make_asset(owner)),
        failed=clip(status="failed"),
        turn=turn,
        key=api_key(owner).key,
        rendered=rendered(api, film, make_asset(owner, origin="render")) if "/renders/" in about else None,
        render=begun(api, f"projects/{film.id}/renders/") if "/renders/" in about else None,
        edited=edited(api, video, make_asset(owner, origin="edit")) if "/edits/" in about else None,
        edit=begun(api, f"videos/{video.id}/edits/") if "/edits/" in about else None,
        quote=quoted(api, about, film, video),
    )


def quoted(api: APIClient, about: str, film: Project, video: Asset) -> UUID:
    path, body = "estimates/", CLIP
    if "/renders/" in about:
        path, body = f"projects/{film.id}/renders/estimates/", {}
    elif "/edits/" in about:
        path, body = f"videos/{video.id}/edits/estimates/", BODIES["videos_edits_create"]
    return UUID(api.post(f"/api/v1/{path}", body, format="json").json()["quote_id"])


def begun(api: APIClient, path: str) -> UUID:
    """A render, whose first clip is there, or an edit, that nobody works on."""
    body = BODIES["videos_edits_create"] if "/edits/" in path else {}
    answer = api.post(f"/api/v1/{path}", body, format="json")
    assert answer.status_code == 201, answer.content
    made = UUID(answer.json()["id"])
    RenderSegment.objects.filter(render_id=made, name="s1").update(state="completed")
    return made


def rendered(api: APIClient, project: Project, film: Asset) -> UUID:
    """A render as it is when it is completed."""
    made = begun(api, f"projects/{project.id}/renders/")
    now = clock.now()
    Render.objects.filter(id=made).update(status="completed", ended_at=now, film=film)
    Job.objects.filter(subject_id=made).update(state="completed", ended_at=now)
    return made


def edited(api: APIClient, video: Asset, output: Asset) -> UUID:
    """An edit as it is when it is completed."""
    made = begun(api, f"videos/{video.id}/edits/")
    now = clock.now()
    VideoEdit.objects.filter(id=made).update(status="completed", ended_at=now, output=output)
    Job.objects.filter(subject_id=made).update(state="completed", ended_at=now)
    return made


def talked_about(project: Project, sample: Asset) -> UUID:
    """Give the project a sample that was analysed, a plan, and a turn of talk; the turn."""
    Project.objects.filter(id=project.id).update(sample=sample)
    ended = {"owner": project.owner, "project": project, "status": "completed", "ended_at": clock.now()}
    film = made_of(segment(1, model="sandbox/motion-1"), segment(2, model="sandbox/motion-1"))
    version = versions.save(project, film, author=Author.RULE)
    Analysis.objects.create(sample=sample, job_id=uuid4(), **ended)
    turn = ChatTurn.objects.create(message="Warmer", reply="Done", base=version, job_id=uuid4(), **ended)
    return turn.id


@pytest.fixture
def stored(bucket: Any) -> Stored:
    return Stored(bucket, settings.S3_BUCKET)


def everything() -> dict[str, list[dict[str, Any]]]:
    """Every row that a request could change."""
    return {
        model._meta.label: list(model._default_manager.order_by("pk").values())
        for app in ("accounts", "credits", "generations", "pipeline", "workers")
        for model in apps.get_app_config(app).get_models()
    }


def test_every_address_of_the_api_is_described() -> None:
    """Or this sweep would pass by what nobody wrote down."""

    def addresses(resolver: URLResolver, prefix: str) -> Iterator[str]:
        for one in resolver.url_patterns:
            path = prefix + str(one.pattern)
            if isinstance(one, URLResolver):
                yield from addresses(one, path)
            elif isinstance(one, URLPattern):
                yield "/" + re.sub(r"<\w+:(\w+)>", r"{\1}", path)

    served = {path for path in addresses(get_resolver(), "") if path.startswith("/api/v1/")}
    assert served == set(description()["paths"])


@pytest.mark.parametrize("route", BY_ID, ids=str)
def test_a_stranger_finds_nothing_and_changes_nothing(
    route: Route, belongings: Belongings, stranger: User, stored: Stored
) -> None:
    before, kept = everything(), stored.keys()

    answer = ask(signed_in(stranger), route, belongings.path(route))

    assert answer.status_code == 404, answer.content
    assert answer.json()["error"]["code"] in ("not_found", "asset_not_found")
    assert everything() == before
    assert stored.keys() == kept


@pytest.mark.parametrize("route", BY_ID, ids=str)
def test_what_a_stranger_does_not_find_its_owner_does(route: Route, belongings: Belongings) -> None:
    """So a 404 above is the stranger's, and not a wrong id's."""
    answer = ask(signed_in(belongings.owner), route, belongings.path(route))

    assert answer.status_code in (200, 201, 204, 302), answer.content


@pytest.mark.parametrize(("route", "field"), IDS_IN_BODIES, ids=str)
def test_a_strangers_thing_can_not_be_named_in_a_body(
    route: Route, field: str, belongings: Belongings, stranger: User
) -> None:
    theirs = Project.objects.create(owner=stranger, title="Theirs")
    sample = make_asset(stranger, origin="upload", duration_seconds=3)
    if "/renders/" in route.path:
        talked_about(theirs, sample)
    path = route.path.replace("{project_id}", str(theirs.id)).replace("{asset_id}", str(sample.id))
    if "{render_id}" in path:
        made = begun(signed_in(stranger), f"projects/{theirs.id}/renders/")
        path = path.replace("{render_id}", str(made))
    before = everything()

    answer = ask(signed_in(stranger), route, path, **{field: belongings.value(field)})

    refused = (answer.status_code, answer.json()["error"]["details"]["field"])
    # No model of the sandbox is made from a video: that is said first, whoever's video it is.
    assert refused == ((422, "mode") if field == "source_video" else (404, field)), answer.content
    assert everything() == before


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_nobody_is_told_anything(route: Route, belongings: Belongings) -> None:
    before = everything()

    answer = ask(APIClient(), route, belongings.path(route))

    assert answer.status_code == 401, answer.content
    assert set(answer.json()) == {"error"}
    assert everything() == before


@pytest.mark.parametrize("route", CHANGING, ids=str)
def test_a_key_that_may_only_read_changes_nothing(route: Route, belongings: Belongings) -> None:
    reader = APIClient()
    reader.credentials(HTTP_AUTHORIZATION=f"Api-Key {api_key(belongings.owner, 'read').secret}")
    before = everything()
    del before["accounts.ApiKey"]  # it says when it was used

    answer = ask(reader, route, belongings.path(route))

    assert answer.status_code == 403, answer.content
    after = everything()
    del after["accounts.ApiKey"]
    assert after == before


@pytest.mark.parametrize("route", LISTS, ids=str)
def test_a_list_shows_a_stranger_nothing_of_it(route: Route, belongings: Belongings, stranger: User) -> None:
    answer = signed_in(stranger).get(route.path, {"project": str(belongings.project)})

    assert answer.status_code == 200
    text = answer.content.decode()
    for mine in (
        *Generation.objects.all(),
        *Asset.objects.all(),
        *Project.objects.all(),
        *Quote.objects.all(),
        *Job.objects.all(),
        *VideoEdit.objects.all(),
    ):
        assert str(mine.pk) not in text
    assert str(belongings.owner.pk) not in text
