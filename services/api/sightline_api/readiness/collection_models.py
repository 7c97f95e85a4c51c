"""Whether the models that collections and migrations need are here, and in memory."""

from contextlib import suppress

from sightline.errors import ModelError, Unavailable
from sightline_api.gateway import Gateway
from sightline_api.readiness.check import NotWell


class ModelsOfCollections:
    """Has the models of all collections in memory, and that of a migration before it is switched to."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def check(self) -> None:
        """Raise NotWell for a migration whose model is not here: queries would fail after the switch."""
        models = self._gateway.models
        with suppress(Unavailable):
            for info in self._gateway.index.collections():
                with suppress(ModelError):  # Who asks for such a collection is told so.
                    models.get(info.space, info.precision)
        for migration in self._gateway.migrations.active():
            try:
                models.get(migration.space, migration.precision)
                models.get(migration.old_space, migration.old_precision)
            except ModelError as error:
                # By its id alone: whoever reaches the port reads this, and may know of no collection.
                raise NotWell(f"Migration {migration.id} needs a model that is not here: {error}") from error
        models.unload_idle()
