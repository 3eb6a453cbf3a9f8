"""The one shape of a list: {"results", "next", "previous"}."""

from rest_framework.pagination import CursorPagination


class Page(CursorPagination):
    """A page by keyset: it costs the same wherever it is. A subclass names `ordering`, by an index."""

    page_size = 50
    page_size_query_param = "limit"
    max_page_size = 200
