"""RunSpec: what a run is. Validated when composed and when loaded; every error is one sentence."""

import os
import re
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

import orjson
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializeAsAny,
    ValidationError,
    create_model,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from engine import catalog, defaults, schedules, steps
from engine.errors import BadInput, unknown
from engine.record import extensions, rundir

VERSION = 2  # 1 had no optimizer, factors, retrain and origin


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _listed(value: Any) -> Any:
    """`--set schedule.prunable=embedding,encoder` arrives as one string."""
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


def _none(value: Any) -> Any:
    return None if value == "none" else value


_Rate = Annotated[float, Field(gt=0, lt=1)]
_Kind = Literal["embedding", "encoder", "head", "bias"]
_KINDS = get_args(_Kind)


class ModelSpec(_Strict):
    """A model by name; its further fields come from its card."""

    name: str


_OF_FILES = ("test_file", "text_column", "label_column")


class DataSpec(_Strict):
    """A dataset of the menu by name; or the user's own, in a file, under a name made from the file's."""

    name: str
    file: str | None = None
    test_file: Annotated[str | None, BeforeValidator(_none)] = Field(
        None, description="texts to test on, where the dataset is a file; none takes a stratified fifth of that file"
    )
    text_column: Annotated[str | None, BeforeValidator(_none)] = Field(
        None, description="the column of texts, or several with + between, where the dataset is a file; none guesses"
    )
    label_column: Annotated[str | None, BeforeValidator(_none)] = Field(
        None, description="the column of labels, where the dataset is a file; none guesses"
    )
    max_tokens: int = Field(400, ge=1, le=100_000, description="longer texts are cut after so many tokens")
    vocabulary_size: int = Field(50_000, ge=1, description="the most frequent words kept")
    min_count: int = Field(2, ge=1, description="rarer words of the training texts are unknown words")
    valid_fraction: float = Field(0.1, gt=0, lt=1, description="share of the training texts kept for validation")
    train_size: Annotated[int | None, BeforeValidator(_none)] = Field(
        None, ge=2, description="use a stratified part of the training texts, so many; none uses all"
    )


def _factors(value: Any) -> Any:
    """`--set schedule.factors=head:0.5,embedding:2` arrives as one string."""
    if not isinstance(value, str):
        return value
    factors: dict[str, str] = {}
    for part in value.split(","):
        if part.strip() in ("", "none"):
            continue
        name, _, factor = (piece.strip() for piece in part.partition(":"))
        if name in factors:
            raise BadInput(f"schedule.factors: {name} is given twice, in {value[:60]!r}; give it once.")
        factors[name] = factor
    return factors


def _no_flag(value: Any) -> Any:
    """TOML's and JSON's true is no 1."""
    if isinstance(value, bool):
        raise PydanticCustomError("int_type", "Input should be a number")
    return value


_Factor = Annotated[float, Field(gt=0), BeforeValidator(_no_flag)]


class ScheduleSpec(_Strict):
    name: str
    criterion: str = Field(description=f"what is unimportant: {', '.join(catalog.CRITERIA)}")
    scope: Literal["layerwise", "global"] = Field(description="rank weights inside each layer, or all together")
    rate: _Rate = Field(description="share of the surviving weights pruned each round")
    rounds: Annotated[int, BeforeValidator(_no_flag)] = Field(
        ge=0, le=1000, description="pruning rounds; 0 trains the dense network alone"
    )
    rewind: Annotated[str, AfterValidator(steps.check)] = Field(
        description="the step of dense training whose weights a ticket starts from: init, 500it, 1ep, or end"
    )
    retrain: Literal["rewind", "lr-rewind", "finetune"] = Field(
        "rewind", description="what a ticket trains from: rewound weights, or trained ones (lr-rewind, finetune)"
    )
    prunable: Annotated[tuple[_Kind, ...], BeforeValidator(_listed)] = Field(
        min_length=1, description="kinds of parameters that may be pruned: embedding, encoder, head, bias"
    )
    factors: Annotated[dict[str, _Factor], BeforeValidator(_factors)] = Field(
        {}, description="multiplies the rate for a kind or a layer: head:0.5,embedding.weight:2"
    )

    def rate_of(self, layer: str, kind: str) -> float:
        """The share that a round prunes of a layer; what is said of the layer goes before what is said of its kind."""
        return self.rate * self.factors.get(layer, self.factors.get(kind, 1.0))


class TrainingSpec(_Strict):
    epochs: int = Field(6, ge=1, le=10_000, description="passes over the training texts in each training")
    batch_size: int = Field(32, ge=1, le=65_536, description="texts a step")
    optimizer: Literal["adam", "sgd"] = Field("adam", description="adam, or sgd with training.momentum")
    momentum: float = Field(0.9, ge=0, lt=1, description="of sgd")
    learning_rate: float = Field(1e-3, gt=0, le=10, description="of the optimizer")
    lr_schedule: Literal["constant", "linear"] = Field("constant", description="linear falls to 0 over one training")
    warmup: float = Field(0.0, ge=0, lt=1, description="share of the steps over which the learning rate first rises")
    max_norm: float = Field(0.0, ge=0, description="gradients are scaled down to this norm; 0 leaves them as they are")
    weight_decay: float = Field(0.0, ge=0, le=1, description="decoupled in adam (AdamW); 0 is plain Adam")
    patience: int = Field(
        0, ge=0, description="stop after so many epochs without a better validation accuracy; 0 never"
    )


class VerdictSpec(_Strict):
    margin: float = Field(0.01, gt=0, lt=1, description="how far below dense still counts as matching")


class OriginSpec(_Strict):
    """What a run asks of the tickets of another, whose files its folder `origin` holds copies of.

    `transfer`: is a ticket one on other data too? Its schedule is the source's but for a single round, that of the
    moved ticket, which starts from the source's `rewind` point and trains the whole way.
    `stability`: do two trainings from the rewind point end in one valley? Its spec is the source's.
    """

    question: Literal["transfer", "stability"]
    run: str  # the id of the source
    round: int = Field(ge=0, le=1000)  # whose ticket is asked about; 0 is the dense network alone
    rewind: Annotated[str, AfterValidator(steps.check)] = steps.INIT  # the source's rewind point
    points: int = Field(11, ge=11, le=1001, description="networks looked at along the line, its ends among them")


class RunSpec(_Strict):
    """Everything that decides a run's numbers. Written once to `spec.json`, before anything starts."""

    version: Literal[1, 2] = 2
    model: SerializeAsAny[ModelSpec]
    data: DataSpec
    schedule: ScheduleSpec
    training: TrainingSpec = TrainingSpec()
    arms: tuple[str, ...] = ("ticket", "reinit", "shuffle")
    seeds: tuple[Annotated[int, Field(ge=0, lt=2**31)], ...] = Field((0, 1, 2), min_length=1, max_length=1000)
    verdict: VerdictSpec = VerdictSpec()
    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$")] = Field(
        "auto", description="auto takes a GPU where there is one; or cpu, cuda, cuda:1"
    )
    threads: Annotated[int | None, BeforeValidator(_none)] = Field(
        None, ge=1, le=1024, description="CPU threads; none uses all cores"
    )
    origin: OriginSpec | None = None

    @field_validator("model", mode="before")
    @classmethod
    def _model(cls, value: Any) -> Any:
        if not isinstance(value, dict) or not isinstance(value.get("name"), str):
            return value
        return _settings(value["name"]).model_validate(value)

    @field_validator("data")
    @classmethod
    def _data(cls, value: DataSpec) -> DataSpec:
        if value.file is None:
            catalog.card("dataset", catalog.DATASETS, value.name)
            given = next((name for name in _OF_FILES if getattr(value, name) is not None), None)
            if given:
                raise BadInput(
                    f"data.{given}: {getattr(value, given)[:60]!r} given, but {value.name} is no file; leave it out, "
                    "or give a file as the dataset."
                )
        return value

    @field_validator("schedule")
    @classmethod
    def check_schedule(cls, value: ScheduleSpec) -> ScheduleSpec:
        """What no field of a schedule can tell alone. Raises BadInput."""
        catalog.card("schedule.criterion", catalog.CRITERIA, value.criterion)
        if len(set(value.prunable)) < len(value.prunable):
            raise BadInput(f"schedule.prunable: {', '.join(value.prunable)} names a kind twice; name each once.")
        if value.factors and value.scope == "global":
            raise BadInput(
                "schedule.factors: given, but a global scope ranks all layers together at one rate; "
                "leave them out, or set schedule.scope=layerwise."
            )
        for name, factor in value.factors.items():
            if "." not in name and name not in _KINDS:  # with a dot it is a layer, which the network has or has not
                raise BadInput(
                    f"schedule.factors: {name[:60]!r} is no kind of parameters; give {', '.join(_KINDS)}, "
                    "or a layer such as embedding.weight."
                )
            if value.rate * factor >= 1:
                raise BadInput(
                    f"schedule.factors: {name}:{factor:g} given, which times the rate {value.rate:g} prunes all of it; "
                    f"give a factor below {1 / value.rate:g}."
                )
        return value

    @field_validator("arms")
    @classmethod
    def _arms(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            catalog.card("arm", catalog.ARMS, name)
        if len(set(value)) < len(value):
            raise BadInput(f"arm: {', '.join(value)} names an arm twice; name each once.")
        return value if "ticket" in value else ("ticket", *value)  # the others use its mask

    @field_validator("seeds")
    @classmethod
    def _seeds(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(value)) < len(value):
            raise BadInput(f"seeds: {', '.join(map(str, value))} names a seed twice; name each once.")
        return value

    @model_validator(mode="after")
    def _together(self) -> Self:
        criterion = catalog.CRITERIA[self.schedule.criterion]
        if criterion.models is not None and self.model.name not in criterion.models:
            raise BadInput(
                f"schedule.criterion: {criterion.name} given, but it cannot score {self.model.name}, whose gates or "
                f"softmax do not scale; use it with {', '.join(criterion.models)}, or give another criterion."
            )
        if self.schedule.rewind.endswith("ep"):
            steps.within(self.schedule.rewind, self.training.epochs, 1)
        return self

    @property
    def trainings(self) -> int:
        """How many networks the run trains."""
        if self.origin is not None and self.origin.question == "stability":
            return len(self.seeds) * 2 * (1 if self.origin.round == 0 else 2)
        return len(self.seeds) * (1 + self.schedule.rounds * len(self.arms))

    def sparsity(self, round_number: int) -> float:
        """The sparsity that a round of this run aims at."""
        return schedules.sparsity(self.schedule.rate, round_number)


def remarks(spec: RunSpec) -> list[str]:
    """What whoever asked for this run should know of it, a sentence each; no reason not to run it."""
    said = []
    plan = spec.schedule
    trained_on = {plan.retrain, *spec.arms} & {"finetune", "lr-rewind"}
    if spec.training.lr_schedule == "constant" and len(trained_on) == 2 and not spec.training.warmup:
        said.append("finetune and lr-rewind coincide, since the learning rate is constant")
    if plan.retrain in spec.arms:
        said.append(f"the arm {plan.retrain} repeats the ticket, which this schedule retrains so")
    if plan.retrain == "rewind":
        if plan.rewind == steps.END:
            said.append("rewinding to the end is no rewinding: tickets start from the dense network's trained weights")
    else:
        if plan.rewind != steps.INIT and plan.criterion not in _BEFORE_TRAINING:
            said.append(f"only the controls use schedule.rewind={plan.rewind}: with {plan.retrain} tickets do not")
        if rewound := [arm for arm in ("shuffle", "same-sign") if arm in spec.arms]:
            starts = f"{' and '.join(rewound)} {'starts' if len(rewound) == 1 else 'start'} from the rewind point"
            said.append(f"{starts}, while the ticket starts from trained weights")
    if plan.criterion in _BEFORE_TRAINING and (plan.rewind == steps.END or plan.retrain != "rewind"):
        how = "schedule.rewind=end" if plan.rewind == steps.END else f"schedule.retrain={plan.retrain}"
        said.append(f"{plan.criterion} with {how} is no pruning before training")
    if plan.criterion == "random" and "random" in spec.arms:
        said.append("the arm random repeats the ticket's kind of mask, which is random too")
    return said


_BEFORE_TRAINING = ("snip", "grasp", "synflow")  # criteria that look at the weights of the rewind point


@cache
def _settings(model: str) -> type[ModelSpec]:
    """The pydantic model of a model's settings, made from its card."""
    card = catalog.card("model", catalog.MODELS, model)
    fields: dict[str, Any] = {setting.name: _field(setting) for setting in card.settings}
    return create_model(f"{model} settings", __base__=ModelSpec, **fields)


def _field(setting: catalog.Setting) -> tuple[Any, FieldInfo]:
    """A model's setting as pydantic has it."""
    bounds: dict[str, Any] = {"ge": setting.low, "le": setting.high}
    if setting.kind == tuple[int, ...]:
        one = Annotated[int, Field(**bounds)]
        kind: Any = Annotated[tuple[one, ...], BeforeValidator(_listed)]
        return kind, Field(setting.default, min_length=1, description=setting.help)
    kind = Annotated[str | None, BeforeValidator(_none)] if setting.kind is str else setting.kind
    return kind, Field(setting.default, description=setting.help, **(bounds if setting.kind in (int, float) else {}))


def settable_anywhere() -> dict[str, tuple[str, str]]:
    """The same for all models: a setting that only some of them have names those, and its default where they agree."""
    of_models = {model: settable(model) for model in catalog.MODELS}
    found: dict[str, tuple[str, str]] = {}
    for path in dict.fromkeys(path for paths in of_models.values() for path in paths):
        having = {model: paths[path] for model, paths in of_models.items() if path in paths}
        agreed = {default for default, _ in having.values()}
        _, meaning = next(iter(having.values()))
        only = "" if len(having) == len(of_models) else f" ({', '.join(having)})"
        found[path] = (agreed.pop() if len(agreed) == 1 else "by model", meaning + only)
    groups = [path.partition(".")[0] for path in found]
    return dict(sorted(found.items(), key=lambda entry: groups.index(entry[0].partition(".")[0])))


def settable(model: str) -> dict[str, tuple[str, str]]:
    """Every dotted path `--set` takes, with its default and its meaning, for one model."""
    usual = defaults.of(model, defaults.ANY)
    return {
        path: (
            "by schedule" if path.startswith("schedule.") else _worded(usual.get(path, field.default)),
            field.description or "",
        )
        for path, field in _fields(model).items()
    }


@cache
def _fields(model: str) -> dict[str, FieldInfo]:
    """The settable fields of a spec by dotted path, those of one model among them."""
    groups: dict[str, type[BaseModel]] = {
        "model": _settings(model),
        "data": DataSpec,
        "schedule": ScheduleSpec,
        "training": TrainingSpec,
        "verdict": VerdictSpec,
    }
    fields = {
        f"{group}.{name}": field
        for group, fields in groups.items()
        for name, field in fields.model_fields.items()
        if name not in ("name", "file")
    }
    return fields | {name: RunSpec.model_fields[name] for name in ("device", "threads")}


def _worded(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return "none" if value is None else str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def parse_settings(lines: list[str]) -> dict[str, str]:
    """`["training.epochs=3"]` as a mapping; BadInput where a line has no `=`."""
    pairs = {}
    for line in lines:
        key, equals, value = line.partition("=")
        if not equals or not key.strip():
            raise BadInput(f"--set: {line!r} is not key=value; write, say, --set training.epochs=3.")
        pairs[key.strip()] = value.strip()
    return pairs


def compose(
    model: str,
    dataset: str,
    schedule: str = "imp",
    arms: list[str] | None = None,
    seeds: int | list[int] = 3,
    settings: dict[str, Any] | None = None,
) -> RunSpec:
    """A spec from names: the catalog's defaults, then those of model x dataset, then what the user set.

    `seeds` is a number of replicates (seeds 0, 1, ...) or the seeds themselves. Raises BadInput.
    """
    _settings(model)
    data = _named(dataset)
    chosen = schedules.find(schedule)
    if isinstance(seeds, int):
        if not 1 <= seeds <= 1000:
            raise BadInput(f"seeds: {seeds} given; give a number from 1 to 1000.")
        seeds = list(range(seeds))
    tree: dict[str, Any] = {
        "model": {"name": model},
        "data": data,
        "schedule": {
            **{name: getattr(chosen, name) for name in ScheduleSpec.model_fields},
            "prunable": catalog.MODELS[model].prunable if chosen.prunable is None else chosen.prunable,
        },
        "training": {},
        "verdict": {},
        "seeds": seeds,
    }
    if arms:
        tree["arms"] = arms
    known = settable(model)
    for path, value in {**defaults.of(model, defaults.ANY if "file" in data else dataset), **(settings or {})}.items():
        if path not in known:
            if having := [name for name in catalog.MODELS if path in settable(name)]:
                raise BadInput(f"--set: {model} has no {path}; {', '.join(having)} have it.")
            raise unknown("--set", path, known)
        if isinstance(value, str) and value != "none" and _is_file(path, value):
            value = str(Path(os.path.expanduser(value)).absolute())  # noqa: PLW2901  an engine starts in another folder
        group, _, name = path.rpartition(".")
        (tree[group] if group else tree)[name] = value
    return _validated(tree)


def _is_file(path: str, value: str) -> bool:
    """Whether a setting's value is a path: where it need not be one, it is where something lies there."""
    maybe = path in ("model.vectors", "model.checkpoint")
    return path == "data.test_file" or (maybe and os.path.exists(os.path.expanduser(value)))


_SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")


def _named(dataset: str) -> dict[str, Any]:
    """A dataset of the menu, or a file under a name that a directory can bear. Raises BadInput."""
    path = Path(os.path.expanduser(dataset))  # unlike a Path's own, it leaves an unknown user as it is
    stem = path.name.removesuffix(".gz")
    is_path = stem.lower().endswith(_SUFFIXES) or os.sep in dataset or os.path.isfile(path)
    if dataset in catalog.DATASETS or not is_path:
        return {"name": catalog.card("dataset", catalog.DATASETS, dataset).name}
    name = re.sub(r"[^A-Za-z0-9_]+", "_", stem.rpartition(".")[0] or stem).strip("_")[:32]
    return {"name": name or "own", "file": str(path.absolute())}


def check_schedule(values: dict[str, Any], where: str) -> dict[str, Any]:
    """The values of a schedule's card as a spec has them; `prunable` may be None, the model's own. BadInput."""
    any_kind = values | {"name": "own", "prunable": ["encoder"] if values["prunable"] is None else values["prunable"]}
    try:
        found = RunSpec.check_schedule(ScheduleSpec.model_validate(any_kind)).model_dump(exclude={"name"})
    except ValidationError as error:
        said = sentence(error, "schedule.")
    except BadInput as error:
        said = str(error)
    else:
        return found | {"prunable": values["prunable"] and found["prunable"]}
    raise BadInput(f"{where}: {said.removeprefix('schedule.')}")


def _validated(tree: Any, where: str = "") -> RunSpec:
    try:
        return RunSpec.model_validate(tree)
    except ValidationError as error:
        raise BadInput(where + sentence(error)) from None


def sentence(error: ValidationError, group: str = "") -> str:
    """The first of pydantic's errors as one sentence: the field, what was given, what would do.

    `group` is what the fields' paths begin with, where a part of a spec was looked at alone.
    """
    first = error.errors()[0]
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, BadInput):
        return str(cause)
    field = group + ".".join(str(part) for part in first["loc"] if not isinstance(part, int))
    field = field if len(field) <= 80 else field[:77] + "..."
    if first["type"] == "missing":
        return f"{field}: it is missing; give a value."
    if first["type"] == "extra_forbidden":
        return f"{field}: there is no such setting; remove it."
    given = repr(first["input"])
    given = given if len(given) <= 80 else given[:77] + "..."
    return f"{field}: {given} given; it should be {_wanted(field, first)}."


_OF_NUMBERS = ("int_", "float_", "finite_number", "greater_than", "less_than")
_SUCH_AS = {
    "device": "auto, cpu, cuda or, say, cuda:1",
    "schedule.criterion": f"one of {', '.join(catalog.CRITERIA)}",
    "schedule.rewind": 'a text such as "500it", or init, 1ep, end',
    "schedule.prunable": f"at least one of {', '.join(_KINDS)}",
    "schedule.factors": "a number for each kind or layer, such as head:0.5",
}
_BOUNDS = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}


def _wanted(path: str, error: Any) -> str:
    """What a field takes: a number with both its bounds, or what pydantic says."""
    field = next((fields[path] for fields in map(_fields, catalog.MODELS) if path in fields), None)
    if path in _SUCH_AS:
        return _SUCH_AS[path]
    if path.startswith("schedule.factors."):
        return "a number above 0"
    if field is None or not error["type"].startswith(_OF_NUMBERS):
        return error["msg"].removeprefix("Input should be ")
    if "tuple" in str(field.annotation):
        return "whole numbers above 0 with commas between"
    noun = "a number" if "float" in str(field.annotation) else "a whole number"
    bounds = [
        f"{words} {getattr(found, name):g}"
        for found in field.metadata
        for name, words in _BOUNDS.items()
        if hasattr(found, name)
    ]
    return ", ".join([noun, " and ".join(bounds)]) if bounds else noun


def dump(spec: RunSpec) -> bytes:
    """The spec as `spec.json` holds it; only a run that asks about another's tickets says so."""
    tree = spec.model_dump(mode="json", exclude={"origin"} if spec.origin is None else None)
    return orjson.dumps(tree, option=orjson.OPT_INDENT_2) + b"\n"


def changed(spec: RunSpec, **parts: Any) -> RunSpec:
    """The spec with some of its parts replaced, checked anew. Raises BadInput."""
    return _validated({**spec.model_dump(mode="json"), **parts})


def refuse_newer(tree: Any, path: Path) -> None:
    """BadInput where a spec, as JSON, is of a version that this program does not know."""
    version = tree.get("version") if isinstance(tree, dict) else None
    if isinstance(version, int) and version > VERSION:
        raise BadInput(f"spec: {path} has version {version}, this program reads up to {VERSION}; upgrade lth-tui.")


def of_run(run: Path) -> RunSpec:
    """The effective spec of a run directory: its spec.json and what `lth extend` added. BadInput like `load`."""
    return load(run / "spec.json", extensions.read(run))


def load(path: Path, added: list[dict[str, Any]] | None = None) -> RunSpec:
    """Read a `spec.json`. BadInput where it is missing, torn, of a newer version, or holds unknown keys."""
    try:
        tree = orjson.loads(rundir.content(path))
    except FileNotFoundError:
        raise BadInput(f"spec: {path} does not exist; name a run directory that holds a spec.json.") from None
    except (OSError, ValueError) as error:
        raise BadInput(f"spec: {path} cannot be read as JSON ({error}); restore it or remove the run.") from None
    refuse_newer(tree, path)
    return of_tree(extensions.apply(tree, added or []) if isinstance(tree, dict) else tree, f"spec {path}: ")


def of_tree(tree: Any, where: str = "") -> RunSpec:
    """A spec from JSON, of an earlier version too; `where` begins the sentence where it is none. Raises BadInput."""
    earlier = isinstance(tree, dict) and tree.get("version") == 1
    return _validated(tree | {"version": VERSION} if earlier else tree, where)
