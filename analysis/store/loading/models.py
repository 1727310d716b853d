"""Models: several may come in one file, each keeps its classes in their order, and none takes another's place."""

from collections.abc import Mapping
from typing import Final

from analysis.errors import FileFaultError
from analysis.store.loading.staging import Plan
from analysis.store.sql import Fragment, list_value, template, value
from analysis.store.workspace import Model, Writer

__all__ = ["find_known_model", "keep_models", "name_models", "note_out_of_sample", "number_models", "to_code_sql"]

DEFAULT_MODEL: Final = "model"
_SHOWN: Final = 6


def name_models(plan: Plan) -> tuple[str, ...]:
    """Return the names of the models in a file: ``--model`` beats its column of models."""
    column = plan.roles.column("model")
    if plan.options.model is not None or column is None:
        return (plan.options.model or DEFAULT_MODEL,)
    name = plan.source.to_text(column)
    rows = plan.source.scratch.fetch_all(
        template("SELECT DISTINCT {name} AS name FROM raw WHERE {name} IS NOT NULL ORDER BY name", name=name)
    )
    return tuple(str(found) for (found,) in rows)


def find_known_model(writer: Writer, plan: Plan) -> Model | None:
    """Return the model of the file whose classes are known, or one without classes, if one is there already.

    Raises
    ------
    FileFaultError
        If the file's models keep different classes, or the same in different orders.
    """
    names = name_models(plan)
    known = [model for model in writer.models if model.name in names]
    settled = [model for model in known if model.classes]
    other = next((model for model in settled if model.classes != settled[0].classes), None)
    if other is not None:
        raise FileFaultError(
            f"{plan.name} holds models whose classes stand in different orders here: {settled[0].name!r} has "
            f"{list(settled[0].classes)[:_SHOWN]}, {other.name!r} has {list(other.classes)[:_SHOWN]}. "
            "Load each from a file of its own with --model."
        )
    return next(iter([*settled, *known]), None)


def number_models(writer: Writer, plan: Plan) -> tuple[dict[str, int], tuple[Model, ...]]:
    """Return the code of each model of the file, new ones after all others, and those that are known already."""
    names = name_models(plan)
    known = tuple(model for model in writer.models if model.name in names)
    codes = {model.name: model.code for model in known}
    first = max((model.code for model in writer.models), default=0) + 1
    fresh = [name for name in names if name not in codes]
    return codes | {name: first + index for index, name in enumerate(fresh)}, known


def to_code_sql(plan: Plan, codes: Mapping[str, int]) -> Fragment:
    """Return the code of the model of a row of ``staged s``, NULL where the row names none."""
    if plan.options.model is not None or plan.roles.column("model") is None:
        return template("CAST({code} AS INTEGER)", code=value(next(iter(codes.values()))))
    return template(
        "CAST(list_extract({codes}, list_position({names}, s.model)) AS INTEGER)",
        codes=value(list(codes.values())),
        names=list_value(list(codes)),
    )


def keep_models(writer: Writer, classes: tuple[str, ...], codes: Mapping[str, int], known: tuple[Model, ...]) -> None:
    """Make the file's models known, with the order of their classes."""
    for model in known:
        if classes and not model.classes:
            writer.execute(
                template(
                    "UPDATE models SET classes = {classes} WHERE model = {code}",
                    classes=value(list(classes)),
                    code=value(model.code),
                )
            )
    writer.execute_many(
        Fragment("INSERT INTO models (model, name, classes) VALUES (?, ?, CAST(? AS VARCHAR[]))"),
        [(code, name, list(classes)) for name, code in codes.items() if name not in {model.name for model in known}],
    )
    writer.forget()


def note_out_of_sample(writer: Writer) -> None:
    """Mark models whose every prediction for a train item names its fold as out-of-sample; else it is unknown."""
    writer.execute(
        Fragment(
            "UPDATE models SET out_of_sample = f.folded FROM (SELECT p.model, "
            "CASE WHEN bool_and(p.fold IS NOT NULL) THEN TRUE END AS folded FROM predictions p "
            "JOIN items i ON i.item = p.item WHERE i.split = 'train' GROUP BY p.model) f "
            "WHERE f.model = models.model AND models.out_of_sample IS DISTINCT FROM f.folded"
        )
    )
    writer.forget()
