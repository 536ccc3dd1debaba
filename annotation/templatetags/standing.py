from django import template

from annotation.left_out import LeftOut, people_left_out
from annotation.models import Dataset

register = template.Library()


@register.simple_tag
def labels_left_out(dataset: Dataset) -> list[LeftOut]:
    return people_left_out(dataset)
