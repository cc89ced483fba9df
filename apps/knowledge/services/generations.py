"""The end of generations that nobody will finish."""

from django.db.models import QuerySet
from django.db.models.functions import Now

from apps.knowledge.models import Generation, Source, UnchargedEmbedding
from apps.knowledge.services.embedding_charges import charge_embeddings


def discard_unfinished(workspace_id: str, sources: QuerySet[Source]) -> None:
    """End the generations of these sources that are being built, and charge what they embedded.

    They are erased soon. The caller has locked the sources, and does this last.
    """
    unfinished = Generation.objects.filter(
        workspace_id=workspace_id, source__in=sources, finished_at=None
    )
    ids = list(unfinished.values_list("id", flat=True))
    if ids:
        unfinished.filter(id__in=ids).update(finished_at=Now())
        charge_embeddings(
            UnchargedEmbedding.objects.filter(workspace_id=workspace_id, generation_id__in=ids)
        )
