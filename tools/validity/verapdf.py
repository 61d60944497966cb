"""veraPDF: PDF/A, held to the part and level that the file claims, many files in one start."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from lxml import etree

from tools.runs import Ran
from tools.sandbox import Sandbox
from tools.validity.installed import in_jars, in_path, java_places
from tools.validity.ports import Batch, Installed, Outcome, Validity
from tools.validity.reports import REPORT, elements, text

MOST_CHECKS = "1000"
"""Failed checks after which it stops looking at a file: what is wrong is known by then."""


class VeraPdf:
    """The `tools.validity.ports.Adapter` of veraPDF."""

    name = "verapdf"
    title = "veraPDF"
    batch = 100
    mixes = False

    def find(self, folder: Path | None) -> Installed | None:
        """Look for its jar, then for the command ``verapdf``."""
        main = "org.verapdf.apps.GreenfieldCliWrapper"
        return in_jars(folder, self.name, main) or in_path("verapdf", "--version")

    def judge(
        self, installed: Installed, batch: Batch, sandbox: Sandbox, readable: Sequence[Path]
    ) -> tuple[Mapping[str, Validity], Ran]:
        """Judge the files of `batch`."""
        report = sandbox.folder / REPORT
        report.unlink(missing_ok=True)
        options = ["--format", "xml", "--maxfailuresdisplayed", "1", "--maxfailures", MOST_CHECKS]
        if batch.profile:
            options += ["--flavour", batch.profile]
        ran = sandbox.run(
            [
                *("sh", "-c", f'exec "$@" >{REPORT}', "veraPDF", *installed.command, *options),
                *(f"in/{name}" for name in batch.names),
            ],
            [],
            environment=java_places(sandbox.folder),
            readable=[*installed.readable, *readable],
        )
        tool = f"{self.title} {installed.version}".strip()
        said = (_read(each, tool) for each in elements(report, "job"))
        return {name: validity for name, validity in said if name in set(batch.names)}, ran


def _read(job: etree._Element, tool: str) -> tuple[str, Validity]:
    name = Path((job.findtext("{*}item/{*}name") or "").strip()).name
    judged = job.find("{*}validationReport")
    if judged is None:
        problem = text(job.find("{*}taskException"), "exceptionMessage") if len(job) else ""
        is_hidden = "encrypted" in problem
        is_broken = job.find("{*}taskException[@type='PARSE']") is not None and not is_hidden
        outcome = Outcome.NOT_VALID if is_broken else Outcome.UNCHECKED
        return name, Validity.of(outcome, tool, None, [problem or "it was not judged"])
    profile = judged.get("profileName", "").removesuffix(" validation profile") or None
    if judged.get("jobEndStatus", "normal") != "normal":
        return name, Validity.of(Outcome.UNCHECKED, tool, profile, ["it was not judged to the end"])
    messages = [
        f"{rule.get('specification')}, {rule.get('clause')}: {text(rule, 'description')}"
        for rule in judged.iterfind("{*}details/{*}rule")
    ]
    outcome = Outcome.VALID if judged.get("isCompliant") == "true" else Outcome.NOT_VALID
    return name, Validity.of(outcome, tool, profile, messages)
