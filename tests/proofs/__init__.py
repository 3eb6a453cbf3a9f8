"""The long proofs: `python -m tests.proofs [NAME …]`, each a module here with
`run(seed, full)`; those whose names begin with an underscore are their parts.

They count what they did, so that a proof that did nothing can't pass for one that found nothing. `make test` runs
the same ones small.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofResult:
    """What a proof did, and what it found broken: nothing, if it holds."""

    name: str
    counts: dict[str, int]
    broken: list[str]

    def report(self) -> str:
        """Every count, and every break, a line each."""
        lines = [f"{self.name}: {'BROKEN' if self.broken else 'holds'}"]
        lines += [f"  {count:>12,}  {what}" for what, count in self.counts.items()]
        lines += [f"  broken: {what}" for what in self.broken]
        return "\n".join(lines)
