"""`{{ text|markdown }}`: untrusted Markdown as safe HTML."""

from django import template

from annotation.markup import markdown

register = template.Library()
register.filter("markdown", markdown, is_safe=True)
