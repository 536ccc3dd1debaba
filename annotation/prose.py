"""Text of several lines in a form."""

from django import forms


class Prose(forms.CharField):
    """A plain form sends line ends as CRLF, htmx as LF: the same text is the same, and each line end one character."""

    def to_python(self, value: object) -> str:
        return super().to_python(value).replace("\r\n", "\n")
