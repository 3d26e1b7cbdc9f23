"""Reports of the checks of a rule: counts of passed checks, of proved claims, and smallest counterexamples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from netgraph.proof import LEVELS, Level
from netgraph.rewriting import Rule
from netgraph.testing.cases import Case, Claimed, Failure


class RuleCheckError(AssertionError):
    """One or several checks of a rule failed.

    Attributes:
        rule: the rule.
        failures: a failure per failing check.
    """

    def __init__(self, rule: Rule, failures: tuple[Failure, ...]) -> None:
        self.rule = rule
        self.failures = failures
        names = ", ".join(failure.check for failure in failures)
        super().__init__(f"{rule!r} fails {names}.\n\n" + "\n\n".join(map(str, failures)))


@dataclass
class CheckCount:
    """Number of graphs on which a check passed, failed, or did not apply.

    After its first failure a check runs on smaller graphs only.
    """

    passed: int = 0
    failed: int = 0
    irrelevant: int = 0


@dataclass
class CheckTally:
    """Counts that grow while examples are checked.

    Attributes:
        checks: counts of each check, by name.
        drawn: number of examples that were drawn, without a match too.
        matched: number of them on which the rule has a match, repeated ones included.
        graphs: number of different examples that were checked.
        matches: number of matches that were rewritten, on all graphs.
        levels: number of rewrites by the claim for them and the level that was proved.
    """

    checks: dict[str, CheckCount] = field(default_factory=dict)
    drawn: int = 0
    matched: int = 0
    graphs: int = 0
    matches: int = 0
    levels: Counter[tuple[Claimed, Level]] = field(default_factory=Counter)

    def add(self, case: Case) -> None:
        """Count an example that was checked."""
        self.graphs += 1
        known = case.__dict__  # with the values that a check asked for, and that the rule could give
        if "result" in known:
            self.matches += len(case.result.matches)
            if "claimed" in known:
                self.levels[case.claimed, case.result.certificate.level] += 1


@dataclass(frozen=True)
class RuleReport:
    """Outcome of the checks of a rule on random graphs.

    Attributes:
        rule: the rule.
        checks: counts of each check, by name.
        graphs: number of different graphs on which the rule was checked.
        rejected: number of graphs that were drawn and left out, because the rule has no match on them.
        matches: number of matches that were rewritten, on all graphs.
        levels: number of rewrites by the claim for them and the level that was proved.
        failures: a failure per failing check, with the smallest counterexample that was found.
    """

    rule: Rule
    checks: Mapping[str, CheckCount]
    graphs: int
    rejected: int
    matches: int
    levels: Mapping[tuple[Claimed, Level], int]
    failures: tuple[Failure, ...]

    @classmethod
    def of(cls, rule: Rule, tally: CheckTally, failures: tuple[Failure, ...]) -> RuleReport:
        """Make the report of counts and failures."""
        rejected = tally.drawn - tally.matched
        return cls(rule, tally.checks, tally.graphs, rejected, tally.matches, dict(tally.levels), failures)

    def require_passed(self) -> None:
        """Raise `RuleCheckError` with all failures, if there are any."""
        if self.failures:
            raise RuleCheckError(self.rule, self.failures)

    def claims(self) -> Iterator[str]:
        """Yield a sentence for each level that the rule claimed: on how many graphs it was proved, and what else was.

        A claim of a bound is for inputs with a bounded domain only, so that it may lack a proof on other graphs.
        """
        for claimed in (*LEVELS, None):
            found = {level: n for (own, level), n in self.levels.items() if own == claimed}
            if not found:
                continue
            total = sum(found.values())
            shown = ", ".join(f"{level} on {found[level]}" for level in LEVELS if level in found)
            if claimed is None:
                yield f"claims nothing: proved {shown} of {total} graphs"
                continue
            reached = sum(n for level, n in found.items() if LEVELS.index(level) <= LEVELS.index(claimed))
            plain = f"claims {claimed}: proved on {reached} of {total} graphs"
            yield plain if set(found) == {claimed} else f"{plain} ({shown})"
