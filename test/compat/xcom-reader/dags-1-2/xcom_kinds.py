"""XComs of every kind, for Airflow 1.10 to 2.11: a run whose conf says `rich` pushes what only some serializations can hold."""
import collections
import datetime
import decimal
import uuid

from airflow import DAG

try:
    from airflow.operators.python import PythonOperator
except ImportError:
    from airflow.operators.python_operator import PythonOperator

from warehouse import Colour, Order, Parcel

UTC = datetime.timezone.utc


def conf_of(context):
    """What the run was triggered with."""
    return context['dag_run'].conf or {}


def extract(**context):
    """Plain data under several keys, and as the return value."""
    push = context['ti'].xcom_push
    for key, value in [('note', 'plain text'), ('digits', '123'), ('list', [1, 2, [3, None, True]]), ('unicode', u'Z\u00fcrich \u2713 \U0001f680'), ('float', 0.25), ('negative', -7), ('large_integer', 2 ** 53 + 1),
                       ('empty', ''), ('false', False), ('json_text', '{"a": [1, 2]}'), ('quote', 'it\'s "quoted" \\ \n \t'), ('not_a_number', float('nan')), ('odd/key %!_', 'odd')]:
        push(key=key, value=value)
    if conf_of(context).get('fail'):
        raise ValueError('asked to fail')
    return {'rows': 3, 'path': 's3://bucket/orders', 'ok': True, 'nothing': None, 'ratio': 0.5, 'nested': {'deep': [{'er': 1}]}}


def train(**context):
    """A measure of each run, for a trajectory."""
    day = context['execution_date'].day
    context['ti'].xcom_push(key='auc', value=round(0.9 + day / 1000.0, 4))
    return {'auc': round(0.9 + day / 1000.0, 4), 'draws': day}


def push_rich(**context):
    """Types of Python that JSON does not have: what the serialization refuses is left out."""
    if not conf_of(context).get('rich'):
        return
    rich = [
        ('datetime', datetime.datetime(2021, 3, 1, 12, 30, 15, 250000, tzinfo=UTC)), ('naive', datetime.datetime(2021, 3, 1, 12)), ('date', datetime.date(2021, 3, 1)), ('time', datetime.time(12, 30)),
        ('offset', datetime.datetime(2021, 3, 1, 12, tzinfo=datetime.timezone(datetime.timedelta(hours=5, minutes=30)))), ('timedelta', datetime.timedelta(days=1, seconds=2, microseconds=3)),
        ('decimal', decimal.Decimal('12.340')), ('tuple', (1, 'two', (3.0,))), ('set', {'b', 'a'}), ('frozenset', frozenset([1, 2])), ('bytes', b'\x00\xffraw'), ('uuid', uuid.UUID('12345678-1234-5678-1234-567812345678')),
        ('ordered', collections.OrderedDict([('z', 1), ('a', 2)])), ('keys', {1: 'one', (2, 3): 'pair'}), ('enum', Colour.BLUE), ('custom', Order(7, [('bolt', 3)])), ('parcel', Parcel('A-1', 2.5)), ('complex', 1 + 2j),
        ('mixed', {'when': datetime.date(2021, 3, 1), 'amount': decimal.Decimal('1.5'), 'pair': (1, 2)}), ('infinity', float('inf')), ('huge_integer', 2 ** 70), ('pendulum', context['execution_date']),
    ]
    shared = ['shared']
    rich.append(('shared', [shared, shared]))
    rich += frames()
    for key, value in rich:
        try:
            context['ti'].xcom_push(key=key, value=value)
        except Exception as error:
            print('not held: %s: %r' % (key, error))


def frames():
    """Values of libraries, where they are installed."""
    try:
        import numpy
        import pandas
    except ImportError:
        return []
    return [('frame', pandas.DataFrame({'a': [1, 2], 'b': ['x', 'y']})), ('array', numpy.arange(4)), ('scalar', numpy.float64(0.5))]


def say_nothing(**_):
    """A task without any XCom."""


dag = DAG('xcom_kinds', schedule_interval=None, start_date=datetime.datetime(2021, 1, 1), catchup=False, tags=['reader'])
first = PythonOperator(task_id='extract', python_callable=extract, dag=dag)
second = PythonOperator(task_id='train', python_callable=train, dag=dag)
third = PythonOperator(task_id='push_rich', python_callable=push_rich, dag=dag)
last = PythonOperator(task_id='say_nothing', python_callable=say_nothing, dag=dag)
for task_of_dag in (first, second, third, last):
    # Airflow 1.10 gives no context unless it is asked.
    if hasattr(task_of_dag, 'provide_context'):
        task_of_dag.provide_context = True
first >> [second, third, last]

if hasattr(PythonOperator, 'partial'):
    from airflow.decorators import task

    @task(task_id='score', dag=dag)
    def score(draw):
        """One mapped instance for each draw."""
        return {'draw': draw, 'auc': round(0.8 + draw / 100.0, 4)}

    @task(task_id='best', dag=dag)
    def best(scores):
        """The best of the mapped instances."""
        return max(one['auc'] for one in scores)

    best(score.expand(draw=[0, 1, 2, 3, 4]))

other = DAG('xcom_other', schedule_interval=None, start_date=datetime.datetime(2021, 1, 1), catchup=False)
PythonOperator(task_id='say_nothing', python_callable=say_nothing, dag=other)
