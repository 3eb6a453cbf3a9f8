"""What can be wrong with a request about a plan."""

from workers.errors import DomainError


class NoSample(DomainError):
    """The project has no sample. Give it one: PATCH it with `sample`."""

    code = "no_sample"


class NoPlan(DomainError):
    """The project has no plan yet. Make one: POST to its `plan/`."""

    code = "no_plan"


class AlreadyRunning(DomainError):
    """This {what} is running already. Wait for it, or cancel its job."""

    code = "already_running"


class PlanInvalid(DomainError):
    """This plan can't be rendered: {reason}"""

    code = "plan_invalid"


class EditInvalid(DomainError):
    """Edit {number} can't be done: {reason}"""

    code = "edit_invalid"


class PlanChanged(DomainError):
    """The plan is at version {current} by now, and this was about version {base}. Look at it and ask again."""

    code = "plan_changed"


class TooManyWorks(DomainError):
    """{running} analyses, plannings and chats run already; {limit} are the most at once."""

    code = "too_many_jobs"
    retryable = True


class TooManyListeners(DomainError):
    """Too many listen to replies at the moment. Read the turn itself until it has ended."""

    code = "too_many_listeners"
    retryable = True


class NoSoundModel(DomainError):
    """Nothing that makes a sound of the kind {kind} is configured, and the plan asks for one."""

    code = "no_sound_model"


class NotRendering(DomainError):
    """The render is {status}: {reason}"""

    code = "not_rendering"
