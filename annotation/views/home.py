from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from annotation.overview import own_overview, team_overview


def home(request: HttpRequest) -> HttpResponse:
    """The first page: what there is for this person to do."""
    if request.user.may_label:
        return render(request, "annotation/home_annotator.html", {"datasets": own_overview(user=request.user)})
    return render(request, "annotation/home_team.html", {"datasets": team_overview(user=request.user)})
