"""Draws one DAG: makes every entry of a drawing, in whatever order results and groups demand, and puts them into the document's order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from leoflow.dagmodel.dag import DAG
from leoflow.dagmodel.expansion import Product, Rows, is_mappable, require_return_values, require_rows
from leoflow.dagmodel.notices import drawing_at
from leoflow.dagmodel.task_group import MappedTaskGroup, TaskGroup
from leoflow.draw import tasks, words
from leoflow.draw.arguments import ArgumentReader
from leoflow.draw.edges import Edges, refuse_always
from leoflow.draw.outline import Entry, outline
from leoflow.draw.problems import Broken, DrawingError, Path, did_you_mean
from leoflow.draw.references import BadReference, References
from leoflow.draw.values import BROKEN_GROUP, ValueReader

_GROUP_WORDS = {"tooltip": "tooltip", "prefix_group_id": "prefix_group_id", "ui_color": "ui_color", "ui_fgcolor": "ui_fgcolor",
                "display_name": "group_display_name"}
_PLAIN = (
    "description", "doc_md", "tags", "owner_links", "catchup", "max_active_runs", "max_active_tasks", "max_consecutive_failed_dag_runs",
    "fail_fast", "is_paused_upon_creation", "render_template_as_native_obj", "allowed_run_types", "template_searchpath",
)
_READ = ("start_date", "end_date", "dagrun_timeout", "on_success_callback", "on_failure_callback")
# Every word of a DAG beside its id and its tasks.
DAG_WORDS = (*_PLAIN, *_READ, "display_name", "timezone", "schedule", "timetable", "params", "default_args")
_MISSING = object()


@dataclass
class Drawn:
    """A DAG of a drawing, with the path of each task. Whoever finds errors must not use it."""

    dag: DAG
    errors: list[DrawingError]
    places: dict[str, Path]


@dataclass
class _Problems:
    found: list[DrawingError] = field(default_factory=list)
    failed: bool = False

    def attempt(self, make: Callable[..., Any], *args: Any) -> Any:
        """What `make` answers; what it complains about is kept, and the answer is `_MISSING`."""
        try:
            return make(*args)
        except DrawingError as error:
            self.found.append(error)
        except Broken:
            pass
        self.failed = True
        return _MISSING

    def done(self) -> None:
        """Raises `Broken` when something failed since it was made."""
        if self.failed:
            raise Broken


class Drawer:
    """The work on one drawing."""

    def __init__(self, drawing: dict[str, Any], references: References, fileloc: str) -> None:
        self._drawing, self._references = drawing, references
        self._errors: list[DrawingError] = []
        self._timezone: Any = words.zone("UTC")
        self._entries = outline(drawing.get("tasks") or {}, self._errors.append)
        self._dag = self._make_dag()
        self._dag.fileloc, self._dag.line = fileloc, 0

    def draw(self) -> Drawn:
        """Make everything; never raises for what the drawing says."""
        for entry in self._entries.values():
            self._make(entry)
            self._check_names(entry)
        made = [entry for entry in self._entries.values() if entry.state == "made"]
        edges = Edges(self._find_made)
        for work in (edges.mark, edges.note):
            for entry in made:
                self._told(lambda: work(entry), entry.path)
        if not self._errors:
            self._told(edges.draw)
            for entry in made:
                self._told(lambda: refuse_always(entry), entry.path)
        self._sort()
        return Drawn(self._dag, self._errors, {entry.id: entry.path for entry in self._entries.values()})

    def _told(self, work: Callable[[], Any], path: Path = ()) -> None:
        try:
            work()
        except DrawingError as error:
            self._errors.append(error)
        except Broken:
            pass
        except Exception as error:
            self._errors.append(DrawingError(path, str(error), cause=error))

    def _make_dag(self) -> DAG:
        problems = _Problems()
        given: dict[str, Any] = {name: self._drawing[name] for name in _PLAIN if name in self._drawing}
        zone = problems.attempt(self._word, "timezone", lambda value: words.zone(value)) if "timezone" in self._drawing else self._timezone
        self._timezone = zone if zone is not _MISSING else self._timezone
        reader = ArgumentReader(lambda value, path: value, self._function, self._timezone)
        for name in _READ:
            if name in self._drawing:
                given[name] = problems.attempt(reader.value, name, self._drawing[name], (name,))
        given["schedule"] = problems.attempt(self._schedule)
        params = self._drawing.get("params") or {}
        given["params"] = {name: problems.attempt(_at, ("params", name), words.param, value) for name, value in params.items()}
        defaults = self._drawing.get("default_args") or {}
        given["default_args"] = {name: problems.attempt(reader.value, name, value, ("default_args", name)) for name, value in defaults.items()}
        self._errors.extend(problems.found)
        dag_id = self._drawing["dag_id"]
        if not problems.failed:
            try:
                dag = DAG(dag_id, dag_display_name=self._drawing.get("display_name"), **given)
                dag.timezone = self._timezone
                return dag
            except Exception as error:
                self._errors.append(DrawingError((), str(error), cause=error))
        return DAG(dag_id)

    def _word(self, name: str, read: Callable[[Any], Any]) -> Any:
        return _at((name,), read, self._drawing[name])

    def _schedule(self) -> Any:
        if "timetable" in self._drawing and self._drawing.get("schedule") is not None:
            raise DrawingError(("schedule",), "schedule and timetable exclude each other", "Remove one of them.")
        if "timetable" in self._drawing:
            return self._word("timetable", lambda spec: words.timetable(spec, self._timezone))
        return self._word("schedule", lambda value: words.schedule(value, self._timezone)) if "schedule" in self._drawing else None

    def _make(self, entry: Entry) -> Any:
        """The task or group of an entry; what is wrong with it is kept, and it is broken."""
        if entry.state == "new":
            entry.state = "making"
            try:
                with drawing_at(entry.path):
                    entry.node = self._make_group(entry) if entry.is_group else self._make_task(entry)
            except DrawingError as error:
                self._errors.append(error)
            except Broken:
                pass
            entry.state = "broken" if entry.node is None else "made"
        return entry.node

    def _make_group(self, entry: Entry) -> TaskGroup:
        problems, given = _Problems(), {ours: entry.spec[word] for word, ours in _GROUP_WORDS.items() if word in entry.spec}
        values, reader = self._readers(entry)
        defaults = entry.text("default_args") or {}
        path = (*entry.path, "default_args")
        given["default_args"] = {name: problems.attempt(reader.value, name, value, (*path, name)) for name, value in defaults.items()}
        expand_input = problems.attempt(self._expansion, entry, values)
        parent = problems.attempt(self._parent, entry)
        self._errors.extend(problems.found)
        problems.done()
        try:
            if expand_input is None:
                return TaskGroup(entry.key, parent_group=parent, dag=self._dag, **given)
            return MappedTaskGroup(expand_input=expand_input, group_id=entry.key, parent_group=parent, dag=self._dag, **given)
        except Exception as error:
            raise DrawingError(entry.path, str(error), cause=error) from None

    def _make_task(self, entry: Entry) -> Any:
        if entry.spec is None:
            raise Broken
        problems = _Problems()
        values, reader = self._readers(entry)
        parent = problems.attempt(self._parent, entry)
        kind = problems.attempt(tasks.kind_of, entry, self._references_of(entry))
        if kind is _MISSING:
            kind = tasks.AnyTask()
        given = {word: problems.attempt(kind.argument, reader, word, value, path) for word, value, path in kind.arguments(entry)}
        expand_input = problems.attempt(self._expansion, entry, values)
        self._errors.extend(problems.found)
        problems.done()
        try:
            return kind.make(entry.key, {**given, "dag": self._dag, "task_group": parent}, expand_input)
        except Exception as error:
            raise DrawingError(entry.path, str(error), cause=error) from None

    def _readers(self, entry: Entry) -> tuple[ValueReader, ArgumentReader]:
        around = [BROKEN_GROUP if group.node is None else group.node for group in entry.above]
        mapped = [node for node in around if node is BROKEN_GROUP or node.is_mapped]
        values = ValueReader(self._dag, self._node, self._function, mapped)
        return values, ArgumentReader(values.read, self._function, self._timezone)

    def _references_of(self, entry: Entry) -> Callable[[str, Path, Any], Any]:
        def look_up(name: str, path: Path, what: Any) -> Any:
            return self._referenced(lambda: what(self._references, name), path)

        return look_up

    def _function(self, reference: Any, path: Path) -> Any:
        if not isinstance(reference, str):
            raise DrawingError(path, "must name a Python function: file.py#function")
        return self._referenced(lambda: self._references.function(reference), path)

    @staticmethod
    def _referenced(find: Callable[[], Any], path: Path) -> Any:
        try:
            return find()
        except BadReference as error:
            raise DrawingError(path, error.message, error.hint, "bad_reference") from None
        except (Exception, SystemExit) as error:
            raise DrawingError(path, f"{type(error).__name__}: {error}", cause=error) from None

    def _parent(self, entry: Entry) -> TaskGroup:
        if entry.parent is None:
            return self._dag.task_group
        group = self._make(entry.parent)
        if group is None:
            raise Broken
        return group

    def _node(self, name: str, path: Path) -> Any:
        """The node of an id, made now when it is not yet."""
        entry = self._find(name, path)
        if entry.state == "making":
            raise DrawingError(path, f"tasks wait for each other's results: {name} needs this one", "Remove one of the references.", "cycle")
        node = self._make(entry)
        if node is None:
            raise Broken
        return node

    def _find(self, name: Any, path: Path) -> Entry:
        entry = self._entries.get(name) if isinstance(name, str) else None
        if entry is None:
            inside = [known for known in self._entries if known.endswith(f".{name}")]
            near = f" (did you mean {inside[0]}?)" if inside else did_you_mean(str(name), self._entries)
            raise DrawingError(path, f"there is no task {name}{near}", "Tasks inside a group are named group.task.", "unknown_task")
        return entry

    def _check_names(self, entry: Entry) -> None:
        """Say which entries are named and not there, whether or not the entry itself could be made."""
        for word in ("after", "teardown"):
            named = entry.text(word)
            for index, said in enumerate(named if isinstance(named, list) else []):
                self._told(lambda said=said, path=(*entry.path, word, index): self._find(said["task"] if isinstance(said, dict) else said, path))

    def _find_made(self, name: Any) -> Entry:
        entry = self._entries.get(name)
        if entry is None or entry.state != "made":
            raise Broken
        return entry

    def _expansion(self, entry: Entry, values: ValueReader) -> Product | Rows | None:
        """What the entry is mapped over; None when it is not."""
        given = entry.spec
        if "expand" in given and "expand_rows" in given:
            raise DrawingError((*entry.path, "expand_rows"), "expand and expand_rows exclude each other")
        if "expand" in given:
            return _at((*entry.path, "expand"), _product, values.read_plain(given["expand"], (*entry.path, "expand")))
        if "expand_rows" in given:
            return _at((*entry.path, "expand_rows"), _rows, values.read_plain(given["expand_rows"], (*entry.path, "expand_rows")))
        return None

    def _sort(self) -> None:
        """Tasks and groups in the order of the document, in whatever order they were made."""
        order = {entry_id: index for index, entry_id in enumerate(self._entries)}
        dag = self._dag
        dag.task_dict = {name: dag.task_dict[name] for name in sorted(dag.task_dict, key=order.__getitem__)}
        for group in [dag.task_group, *dag.task_group_dict.values()]:
            group.children = {name: group.children[name] for name in sorted(group.children, key=order.__getitem__)}


def _at(path: Path, read: Callable[[Any], Any], value: Any) -> Any:
    try:
        return read(value)
    except DrawingError:
        raise
    except Exception as error:
        raise DrawingError(path, str(error)) from None


def _product(arguments: Any) -> Product:
    if not isinstance(arguments, dict) or not arguments:
        raise ValueError("must name at least one argument and what it is mapped over")
    for name, value in arguments.items():
        if not is_mappable(value):
            raise ValueError(f"{name} must be a list, a mapping or another task's result, not {value!r}")
    made = Product(arguments)
    require_return_values(made.value)
    return made


def _rows(rows: Any) -> Rows:
    require_rows(rows)
    made = Rows(rows)
    require_return_values(made.value)
    return made


def draw(drawing: dict[str, Any], references: References, fileloc: str) -> Drawn:
    """One DAG of a drawing with everything that is wrong with it.

    fileloc: absolute path of the file that holds the drawing
    """
    return Drawer(drawing, references, fileloc).draw()
