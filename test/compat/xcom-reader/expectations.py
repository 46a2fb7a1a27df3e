"""What an Airflow itself reads in its database: every XCom as its own deserializer gives it, and each run, as JSON.

Runs in that Airflow's Python, 1.10 to 3.2, with its settings in the environment: `python expectations.py OUT.json`. Types that JSON does
not have are told as {"$type": ..., ...}.
"""
import base64
import datetime
import decimal
import json
import math
import pickle
import platform
import sys
import uuid

import airflow
from airflow import settings


def main(path):
    """Writes what there is."""
    sys.path.insert(0, settings.DAGS_FOLDER)
    schema = {table: columns(table) for table in ('xcom', '_xcom_archive', 'dag_run')}
    told = {'airflow': airflow.__version__, 'python': platform.python_version(), 'columns': schema, 'runs': list_runs(schema['dag_run']), 'xcoms': []}
    for table in ('xcom', '_xcom_archive'):
        if schema[table]:
            told['xcoms'] += [tell_row(table, row) for row in query(statement_for(table, schema[table]))]
    told['xcoms'].sort(key=lambda row: (row['table'], row['dag_id'], row['run_id'], row['task_id'], row['map_index'], row['key']))
    with open(path, 'w') as file:
        json.dump(told, file, indent=1, sort_keys=True, ensure_ascii=False)
        file.write('\n')


def query(text):
    """Rows of a statement. The driver's own cursor gives columns as they lie there, JSON excepted."""
    connection = settings.engine.raw_connection()
    try:
        cursor = connection.cursor()
        cursor.execute(text)
        return cursor.fetchall()
    finally:
        connection.close()


def columns(table):
    """Names of a table's columns, sorted."""
    return sorted(name for name, in query("SELECT column_name FROM information_schema.columns WHERE table_schema = 'public' AND table_name = '%s'" % table))


def statement_for(table, has):
    """The statement that reads a table of XComs of any generation."""
    value = 'x.value::text' if table == 'xcom' and column_type() == 'jsonb' else 'x.value'
    fields = 'x.dag_id, %s, x.task_id, {}, x.key, x.timestamp, ' + value
    if 'run_id' in has:
        return 'SELECT ' + fields.format('x.map_index') % 'x.run_id' + ' FROM %s x' % table
    return 'SELECT ' + fields.format('-1') % 'r.run_id' + ' FROM %s x JOIN dag_run r ON r.dag_id = x.dag_id AND r.execution_date = x.execution_date' % table


def column_type():
    """Type of the column of values."""
    return query("SELECT data_type FROM information_schema.columns WHERE table_schema = 'public' AND table_name = 'xcom' AND column_name = 'value'")[0][0]


def tell_row(table, row):
    """One XCom."""
    dag_id, run_id, task_id, map_index, key, timestamp, value = row
    told = {'table': table, 'dag_id': dag_id, 'run_id': run_id, 'task_id': task_id, 'map_index': map_index, 'key': key, 'timestamp': timestamp.isoformat()}
    if isinstance(value, str):
        told.update(storage='json', raw=value, value=tag(read_json_column(value)))
        return told
    data = bytes(value)
    if table == '_xcom_archive':
        # No Airflow reads these any more.
        told.update(storage='pickle', bytes=len(data))
        return told
    is_pickle = data[:1] == b'\x80'
    told.update(storage='pickle' if is_pickle else 'bytes', bytes=len(data), value=tag(pickle.loads(data) if is_pickle else read_bytes(data)))
    if not is_pickle:
        told['raw'] = data.decode('utf-8')
    return told


def read_bytes(data):
    """As XCom.deserialize_value does without pickling."""
    try:
        from airflow.utils.json import XComDecoder
    except ImportError:
        return json.loads(data.decode('utf-8'))
    try:
        return json.loads(data.decode('utf-8'), cls=XComDecoder)
    except Exception as error:
        return Refused(json.loads(data.decode('utf-8')), '%s: %s' % (type(error).__name__, error))


class Stored(object):
    """What deserialize_value takes."""

    def __init__(self, value):
        self.value = value


def read_json_column(text):
    """As a task reads it. A string is told as it lies there: whether it was encoded twice nobody can tell."""
    from airflow.sdk.bases.xcom import BaseXCom
    value = json.loads(text)
    try:
        return BaseXCom.deserialize_value(Stored(value))
    except Exception as error:
        return Refused(value, '%s: %s' % (type(error).__name__, error))


class Refused(object):
    """A value that Airflow itself does not give back."""

    def __init__(self, value, why):
        self.value, self.why = value, why


def tag(value):
    """A value as JSON."""
    if isinstance(value, Refused):
        return {'$type': 'refused by Airflow', 'stored': value.value, 'why': value.why}
    kind = type(value)
    name = kind.__module__ + '.' + kind.__qualname__
    if value is None or kind in (bool, str):
        return value
    if kind is int:
        return value if abs(value) < 2 ** 53 else {'$type': 'int', 'value': str(value)}
    if kind is float:
        return value if math.isfinite(value) else {'$type': 'float', 'value': repr(value)}
    if kind is list:
        return [tag(item) for item in value]
    if kind is dict and all(isinstance(key, str) for key in value):
        return {key: tag(item) for key, item in value.items()}
    return dict({'$type': name}, **describe(value))


def describe(value):
    """What there is to know about a value of a type that JSON does not have."""
    if isinstance(value, dict):
        return {'items': [[tag(key), tag(item)] for key, item in value.items()]}
    if isinstance(value, tuple):
        return {'value': [tag(item) for item in value]}
    if isinstance(value, (set, frozenset)):
        return {'value': [tag(item) for item in sorted(value, key=repr)]}
    if isinstance(value, bytes):
        return {'base64': base64.b64encode(value).decode('ascii')}
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return {'value': value.isoformat()}
    if isinstance(value, datetime.timedelta):
        return {'days': value.days, 'seconds': value.seconds, 'microseconds': value.microseconds}
    if isinstance(value, (decimal.Decimal, uuid.UUID, complex)):
        return {'value': str(value)}
    state = getattr(value, '__dict__', None)
    plain = type(value).__module__ == 'warehouse' and not hasattr(type(value), '__members__')
    return {'repr': repr(value)} if not plain else {'state': tag(dict(state))}


def list_runs(has):
    """Runs, the newest first as the reader orders them."""
    dated = 'logical_date' if 'logical_date' in has else 'execution_date'
    order = 'COALESCE(logical_date, run_after)' if 'run_after' in has else dated
    rows = query('SELECT dag_id, run_id, state, %s, %s, %s FROM dag_run ORDER BY dag_id, %s DESC, id DESC' % (dated, 'run_after' if 'run_after' in has else 'NULL', 'run_type' if 'run_type' in has else 'NULL', order))
    return [{'dag_id': dag_id, 'run_id': run_id, 'state': state, 'logical_date': date and date.isoformat(), 'run_after': after and after.isoformat(), 'run_type': run_type} for dag_id, run_id, state, date, after, run_type in rows]


if __name__ == '__main__':
    main(sys.argv[1])
