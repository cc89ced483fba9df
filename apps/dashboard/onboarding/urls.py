from django.urls import path

from apps.dashboard.onboarding import views

urlpatterns = [
    path("workspaces", views.workspaces, name="workspaces"),
    path("workspaces/new", views.new_workspace, name="new_workspace"),
    path("invitations/<str:token>", views.invitation, name="accept_invitation"),
]
