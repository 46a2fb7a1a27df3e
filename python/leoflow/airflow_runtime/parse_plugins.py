"""The plugins of a project while one of its files is parsed: its folder's, and those of modules that the file imports."""

from __future__ import annotations

_REGISTRIES = ("get_timetables_plugins", "get_partition_mapper_plugins", "get_priority_weight_strategy_plugins")


def load() -> list[tuple[str, str]]:
    """Load the plugins folder and the installed plugins. @returns files of plugins that do not import, with why"""
    from airflow import plugins_manager, settings
    from airflow.configuration import conf

    settings.PLUGINS_FOLDER = conf.get("core", "plugins_folder")
    for cached in ("_get_plugins", *_REGISTRIES):
        getattr(plugins_manager, cached).cache_clear()
    return sorted(plugins_manager.get_import_errors().items())


def add_imported() -> None:
    """Register plugins that some imported module defines.

    A class in a package of the project is known by the name that the DAG file imports it by; the plugins folder alone knows it by its file's.
    """
    from airflow import plugins_manager
    from airflow.sdk import plugins_manager as sdk_manager

    plugins, _ = plugins_manager._get_plugins()
    known = {type(plugin) for plugin in plugins}
    bases = dict.fromkeys((plugins_manager.AirflowPlugin, sdk_manager.AirflowPlugin))
    plugins.extend(kind() for base in bases for kind in _subclasses(base) if kind not in known and plugins_manager.is_valid_plugin(kind))
    for cached in _REGISTRIES:
        getattr(plugins_manager, cached).cache_clear()


def run_listeners() -> list[str]:
    """The moments of runs that some plugin listens to: `running`, `success`, `failed`."""
    from airflow.listeners.listener import get_listener_manager

    hook = get_listener_manager().hook
    return [moment for moment in ("running", "success", "failed") if getattr(hook, f"on_dag_run_{moment}").get_hookimpls()]


def _subclasses(kind: type) -> list[type]:
    found = []
    for one in kind.__subclasses__():
        found.extend([one, *_subclasses(one)])
    return found
