"""`python -m providers.features`: docs/providers.md, what each vendor and model can do, written from the adapters.

Nothing here is known twice: models come from the catalogue, calls from the adapters' classes, doubts from their notes.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

PAGE = Path(__file__).resolve().parent.parent / "docs" / "providers.md"

_INTRODUCTION = """\
# Providers

What each vendor's adapter can do, and each of its models. Written by `make schema` from the adapters and the
catalogue (`python -m providers.features`); `make check` refuses a page that says something else. How to add a vendor:
[adding-a-provider.md](adding-a-provider.md). What operators do about them: [operations.md](operations.md).

A vendor is configured by its settings, in the environment; with an empty one its models are listed as unavailable.
Further accounts at a vendor: `PROVIDER_ACCOUNTS`; limits over those below: `PROVIDER_LIMITS`; what may be spent:
`PROVIDER_BUDGETS`; the balance below which an alarm is raised: `LOW_BALANCES`. No vendor has been asked for this page:
its facts are from the vendors' documents and clients, as of November 2026.
"""

_LEGEND = """\
**Cancel**: a render can be stopped there. **Look-up**: a submission whose answer was lost can be found; *proves* says
after how long not finding it proves that it was never accepted, and it may be submitted again. **Webhooks**: *signed* by
the vendor, or believed by the *token* in our URL alone; either is only a hint. **List**: what the daily comparison is
held against. **Account**: the vendor tells balance or limits. **Cost**: the vendor says what a render cost.
"""


def page() -> str:
    """The whole page, as Markdown."""
    from providers.vendors import VIDEO_PROVIDERS

    names = [name for name in VIDEO_PROVIDERS if name != "sandbox"]
    lines = [_INTRODUCTION, "## Vendors\n", *_vendors(names), "", _LEGEND, "## Models\n", *_models(), ""]
    for name in names:
        lines += _of_vendor(name)
    return "\n".join(lines)


def _vendors(names: Sequence[str]) -> Iterator[str]:
    from providers import registry
    from providers.contract import Webhooks

    yield "| Vendor | Settings | Cancel | Look-up | Webhooks | List | Account | Cost | At once | A minute |"
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for name in names:
        kind = registry.kind(name)
        proves = kind.find_is_authoritative_after
        look_up = (
            "–"
            if not kind.offers("find")
            else f"proves after {proves.total_seconds():.0f} s"
            if proves
            else "yes"
        )
        webhooks = "–" if kind.webhooks is Webhooks.NONE else str(kind.webhooks)
        if kind.webhooks_of_account:
            webhooks += f", at `/webhooks/{name}/account/`"
        needed = " ".join(f"`{setting}`" for setting in kind.settings if setting not in kind.defaults)
        fact = registry.limits(name)
        cells = [
            f"[{name}](#{name})",
            needed,
            _mark(kind.offers("cancel")),
            look_up,
            webhooks,
            _mark(kind.offers("listed")),
            _mark(kind.offers("account")),
            _mark(kind.reports_cost),
            str(fact.concurrent),
            str(fact.per_minute),
        ]
        yield f"| {' | '.join(cells)} |"


def _models() -> Iterator[str]:
    from providers.catalogue import MODELS

    yield "| Model | Makes it from | Seconds | Resolutions | Ratios | Takes besides |"
    yield "|---|---|---|---|---|---|"
    for model in MODELS.values():
        if model.provider == "sandbox":
            continue
        name = model.id
        if model.retires_at is not None:
            name += f" (until {model.retires_at:%Y-%m-%d}; then {model.successor})"
        takes = [
            word
            for word, offered in (
                ("negative prompt", model.negative_prompt),
                ("sound", model.audio),
                ("enhancement", model.enhance),
                ("seed", model.seed),
                (f"styles: {', '.join(model.styles)}", bool(model.styles)),
                ("**no prompt**", model.max_prompt_length == 0),
                ("the prompt is spoken", model.spoken_characters_per_second is not None),
                ("**a mark in the picture**", model.watermark),
            )
            if offered
        ]
        takes += [f"`{control.name}`" for control in model.controls]
        modes = ", ".join(mode.replace("_", "+") for mode in sorted(model.modes))
        cells = [
            name,
            modes,
            _seconds(model.durations),
            ", ".join(model.resolutions),
            ", ".join(model.ratios),
        ]
        yield f"| {' | '.join([*cells, ', '.join(takes) or '–'])} |"


def _of_vendor(name: str) -> Iterator[str]:
    """What is particular about a vendor: what its model makes only together, and its notes."""
    from providers import registry
    from providers.catalogue import MODELS

    kind = registry.kind(name)
    yield f"## {name}\n"
    yield f"{(sys.modules[kind.__module__].__doc__ or '').strip().splitlines()[0]}\n"
    extra = [*(f"`{setting}` (may be empty)" for setting in kind.optional)]
    extra += [f"`{setting}` (`{value}`)" for setting, value in kind.defaults.items() if value]
    if extra:
        yield f"Further settings: {', '.join(extra)}.\n"
    for model in MODELS.values():
        if model.provider != name:
            continue
        for one in model.restrictions:
            modes = " or ".join(sorted(mode.replace("_", "+") for mode in one.modes))
            sizes = "" if one.resolutions is None else f" at {', '.join(one.resolutions)}"
            lengths = f"only {_seconds(one.durations)} s" if one.durations else "not made"
            yield f"- {model.id}, from {modes}{sizes}: {lengths}."
    for note in kind.notes:
        yield f"- {note}"
    yield ""


def _seconds(durations: Sequence[int]) -> str:
    """`4, 6, 8`, and a row without gaps as `2–10`."""
    if len(durations) > 2 and durations[-1] - durations[0] == len(durations) - 1:
        return f"{durations[0]}–{durations[-1]}"
    return ", ".join(map(str, durations))


def _mark(offered: bool) -> str:
    return "yes" if offered else "–"


def main() -> int:
    """Write the page; with `--check`, say whether it is up to date."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django

    django.setup()
    written = page()
    if "--check" in sys.argv:
        if PAGE.read_text() == written:
            return 0
        sys.stderr.write(f"{PAGE.name} is not what the adapters say: make schema\n")
        return 1
    PAGE.write_text(written)
    return 0


if __name__ == "__main__":
    sys.exit(main())
