"""An operator of the project with a link to what it made."""

from airflow.sdk import BaseOperator, BaseOperatorLink
from airflow.sdk.execution_time.xcom import XCom


class PageLink(BaseOperatorLink):
    """Where its page is."""

    name = "Page"

    def get_link(self, operator, *, ti_key):
        """By what the operator has pushed."""
        return f"https://pages.example/{XCom.get_value(key='page', ti_key=ti_key)}"


class LinkedOperator(BaseOperator):
    """Makes a page."""

    template_fields = ("page",)
    operator_extra_links = (PageLink(),)

    def __init__(self, *, page: str, **kwargs):
        super().__init__(**kwargs)
        self.page = page

    def execute(self, context):
        """Push the page's name."""
        context["ti"].xcom_push(key="page", value=self.page)
