"""A trigger that ends its task without running it again."""

from airflow.triggers.base import BaseTrigger, TaskFailedEvent, TaskSuccessEvent


class Ending(BaseTrigger):
    """Ends it at once."""

    def __init__(self, state):
        super().__init__()
        self.state = state

    def serialize(self):
        """As Airflow asks."""
        return "ending.Ending", {"state": self.state}

    async def run(self):
        """One event."""
        yield TaskFailedEvent() if self.state == "failed" else TaskSuccessEvent()
