"""From a sample to an analysis, a plan, an edit by words and back, through the API."""

from typing import Any

from django.test import Client

from config.stack.sample import Film
from generations.models import Asset

from .conftest import Workers, get, post, said


def test_a_project_with_a_sample_is_analysed_and_planned_by_itself(
    api: Client, workers: Workers, sample_asset: Asset, film: Film
) -> None:
    made = post(api, "projects/", {"title": "Like this", "sample": str(sample_asset.id)}).json()
    assert made["state"] == "analysing"
    progress = []

    def planned() -> bool:
        now = get(api, f"projects/{made['id']}/progress/").json()
        progress.append(now["analysis"]["progress"])
        return bool(now["state"] == "planned")

    workers.until(planned)
    assert progress == sorted(progress)

    analysis = get(api, f"projects/{made['id']}/analysis/").json()
    shots = analysis["measurement"]["shots"]
    cuts = [shot["start_seconds"] for shot in shots[1:]]
    assert len(cuts) == len(film.hard_cuts)
    assert all(abs(a - b) < 0.1 for a, b in zip(cuts, film.hard_cuts, strict=True))
    assert all(shot["picture_url"] for shot in shots)
    assert {analysis["report"][name]["by"] for name in ("pacing", "style")} == {"measurement"}

    plan = get(api, f"projects/{made['id']}/plan/").json()["version"]
    assert (plan["number"], plan["author"]) == (1, "rule")
    assert plan["price"]["credits"] == sum(part["credits"] for part in plan["price"]["parts"])
    assert abs(plan["seconds"] - film.seconds) < 0.5
    assert all(segment["reason"] for segment in plan["film"]["segments"])


def test_words_change_the_plan_and_one_can_go_back(api: Client, workers: Workers, planned: str) -> None:
    first = get(api, f"projects/{planned}/plan/").json()["version"]

    turn = said(api, workers, planned, "make scene 1 3 seconds long and then fade between all scenes")

    assert (turn["by"], turn["version"]) == ("rules", 2)
    assert "s1" in turn["comparison"]["stale"]
    assert turn["comparison"]["redo"]["credits"] > 0
    second = get(api, f"projects/{planned}/plan/").json()["version"]
    assert second["film"]["segments"][0]["seconds"] == 3
    back = post(api, f"projects/{planned}/plan/versions/1/revert/")
    assert back.status_code == 201
    third: dict[str, Any] = back.json()
    assert (third["number"], third["digest"], third["parent"]) == (3, first["digest"], 2)
    listed = get(api, f"projects/{planned}/plan/versions/").json()["results"]
    assert [one["number"] for one in listed] == [3, 2, 1]


def test_what_is_not_understood_is_said_so_and_changes_nothing(
    api: Client, workers: Workers, planned: str
) -> None:
    turn = said(api, workers, planned, "dance the polka")
    assert turn["version"] is None
    assert "did not understand" in turn["reply"]
    assert get(api, f"projects/{planned}/plan/").json()["version"]["number"] == 1
