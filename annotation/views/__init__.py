from annotation.views.home import home
from annotation.views.label import label, label_any, label_pair, label_skip
from annotation.views.password import password

__all__ = ["home", "label", "label_any", "label_pair", "label_skip", "password"]
