"""XComs of every kind, for Airflow 3: a run whose conf says `rich` pushes what only some serializers can hold."""
import collections
import datetime
import decimal
import uuid

from airflow.sdk import DAG, get_current_context, task
from airflow.sdk.timezone import utc

from warehouse import Colour, Order, Parcel

with DAG('xcom_kinds', schedule=None, start_date=datetime.datetime(2021, 1, 1, tzinfo=utc), tags=['reader']) as dag:

    @task
    def extract():
        """Plain data under several keys, and as the return value."""
        context = get_current_context()
        push = context['ti'].xcom_push
        for key, value in [('note', 'plain text'), ('digits', '123'), ('list', [1, 2, [3, None, True]]), ('unicode', 'Zürich ✓ 🚀'), ('float', 0.25), ('negative', -7), ('large_integer', 2 ** 53 + 1),
                           ('empty', ''), ('false', False), ('json_text', '{"a": [1, 2]}'), ('quote', 'it\'s "quoted" \\ \n \t'), ('odd key %!_', 'odd')]:
            push(key=key, value=value)
        if (context['dag_run'].conf or {}).get('fail'):
            raise ValueError('asked to fail')
        return {'rows': 3, 'path': 's3://bucket/orders', 'ok': True, 'nothing': None, 'ratio': 0.5, 'nested': {'deep': [{'er': 1}]}}

    @task
    def train():
        """A measure of each run, for a trajectory."""
        context = get_current_context()
        day = context['dag_run'].run_after.day
        context['ti'].xcom_push(key='auc', value=round(0.9 + day / 1000.0, 4))
        return {'auc': round(0.9 + day / 1000.0, 4), 'draws': day}

    @task
    def push_rich():
        """Types of Python that JSON does not have: what the serializers refuse is left out."""
        context = get_current_context()
        if not (context['dag_run'].conf or {}).get('rich'):
            return
        rich = [
            ('datetime', datetime.datetime(2021, 3, 1, 12, 30, 15, 250000, tzinfo=datetime.timezone.utc)), ('naive', datetime.datetime(2021, 3, 1, 12)), ('date', datetime.date(2021, 3, 1)), ('time', datetime.time(12, 30)),
            ('offset', datetime.datetime(2021, 3, 1, 12, tzinfo=datetime.timezone(datetime.timedelta(hours=5, minutes=30)))), ('timedelta', datetime.timedelta(days=1, seconds=2, microseconds=3)),
            ('decimal', decimal.Decimal('12.340')), ('tuple', (1, 'two', (3.0,))), ('set', {'b', 'a'}), ('frozenset', frozenset([1, 2])), ('bytes', b'\x00\xffraw'), ('uuid', uuid.UUID('12345678-1234-5678-1234-567812345678')),
            ('ordered', collections.OrderedDict([('z', 1), ('a', 2)])), ('enum', Colour.BLUE), ('custom', Order(7, [('bolt', 3)])), ('parcel', Parcel('A-1', 2.5)), ('complex', 1 + 2j),
            ('mixed', {'when': datetime.date(2021, 3, 1), 'amount': decimal.Decimal('1.5'), 'pair': (1, 2)}),
        ]
        for key, value in rich:
            try:
                context['ti'].xcom_push(key=key, value=value)
            except Exception as error:
                print('not held: %s: %r' % (key, error))

    @task
    def say_nothing():
        """A task without any XCom."""

    @task
    def score(draw):
        """One mapped instance for each draw."""
        return {'draw': draw, 'auc': round(0.8 + draw / 100.0, 4)}

    @task
    def best(scores):
        """The best of the mapped instances."""
        return max(one['auc'] for one in scores)

    extract() >> [train(), push_rich(), say_nothing()]
    best(score.expand(draw=[0, 1, 2, 3, 4]))

with DAG('xcom_other', schedule=None, start_date=datetime.datetime(2021, 1, 1, tzinfo=utc)) as other:

    @task(task_id='say_nothing')
    def stay_silent():
        """A task without any XCom."""

    stay_silent()
