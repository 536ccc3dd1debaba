"""The agreement page: how people, and judges as raters, agree."""
