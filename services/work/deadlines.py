"""Deadlines: a step that has not moved for too long has failed, whatever its process still does."""

from packages.ledger import Job, JobState, Lease, StepOutcome
from packages.model import later
from packages.policies import LOCAL_WORK
from services.archive import Archive

TIMED_OUT = "timed_out"


def time_out(archive: Archive, job_id: str, step: str, seconds: float) -> Job:
    """Record that `step` did not move for `seconds`, take the job from who holds it, and return it.

    It is tried again as `packages.policies` says. A job that has gone on by itself is left alone. The caller
    ends the process: it can record nothing any more.
    """
    with archive.catalogue.write() as unit:
        job = unit.job(job_id)
        if job.state is JobState.RUNNING and job.step == step and job.lease_owner and job.lease_until:
            lease = Lease(job.id, job.lease_owner, job.fence, job.lease_until)
            told = f"the step {step} did not move for {seconds:.0f} s and was ended"
            wait = LOCAL_WORK.wait(job.attempts)
            unit.end_step(lease, step, StepOutcome.FAILED, TIMED_OUT, told)
            unit.set_job(
                job.id,  # not by the lease: the fence moves on, so that the process which hangs has lost it
                state=JobState.FAILED,
                reason=told,
                not_before=None if wait is None else later(wait),
            )
        return unit.job(job_id)
